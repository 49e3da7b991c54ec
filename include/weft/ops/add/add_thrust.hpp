// SPDX-License-Identifier: Apache-2.0
/// \file
/// `add` on Thrust devices.
#pragma once

#include "weft/ops/add/add_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// y = a + b
template <class T>
struct AddElement {
  const T* a;
  const T* b;
  T* y;

  WEFT_HOST_DEVICE void operator()(Index i) const { y[i] = a[i] + b[i]; }
};

}  // namespace kernels

template <>
struct AddKernels<Thrust> {
  template <class T>
  static void forward(Index count, const T* a, const T* b, T* y) {
    Thrust::for_each_index(count, kernels::AddElement<T>{a, b, y});
  }

  template <class T>
  static void accumulate(Index count, const T* values, GradientTarget<T> target) {
    kernels::thrust_add_to_gradient(count, values, target);
  }
};

}  // namespace weft
