// SPDX-License-Identifier: Apache-2.0
/// \file
/// `sum` and `mean` on Thrust devices.
#pragma once

#include "weft/ops/sum/sum_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// One term of Σ x
template <class T>
struct SumTerm {
  const T* x;

  WEFT_HOST_DEVICE double operator()(Index i) const { return static_cast<double>(x[i]); }
};

/// dx = dy[0] / divisor
template <class T>
struct SumSlopeElement {
  T divisor;
  const T* dy;
  GradientTarget<T> dx;

  WEFT_HOST_DEVICE void operator()(Index i) const { contribute(dx.data, dx.accumulate, i, *dy / divisor); }
};

}  // namespace kernels

template <>
struct SumKernels<Thrust> {
  template <class T>
  static void forward(Index count, T divisor, const T* x, T* y) {
    kernels::thrust_sum(count, kernels::SumTerm<T>{x}, static_cast<double>(divisor), GradientTarget<T>{y, false});
  }

  template <class T>
  static void backward(Index count, T divisor, const T* dy, GradientTarget<T> dx) {
    Thrust::for_each_index(count, kernels::SumSlopeElement<T>{divisor, dy, dx});
  }
};

}  // namespace weft
