// SPDX-License-Identifier: Apache-2.0
/// \file
/// `scale` on Thrust devices.
#pragma once

#include "weft/ops/scale/scale_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// y = factor x, where the factor is `number` or, unless that is null, `tensor[0]`
template <class T>
struct ScaleElement {
  const T* x;
  T number;
  const T* tensor;
  GradientTarget<T> y;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    contribute(y.data, y.accumulate, i, (tensor != nullptr ? *tensor : number) * x[i]);
  }
};

/// One term of dfactor = Σ dy x
template <class T>
struct ScaleFactorTerm {
  const T* x;
  const T* dy;

  WEFT_HOST_DEVICE double operator()(Index i) const { return static_cast<double>(dy[i]) * static_cast<double>(x[i]); }
};

}  // namespace kernels

template <>
struct ScaleKernels<Thrust> {
  template <class T>
  static void forward(Index count, const T* x, T number, const T* tensor, T* y) {
    backward_input(count, x, number, tensor, GradientTarget<T>{y, false});
  }

  template <class T>
  static void backward_input(Index count, const T* dy, T number, const T* tensor, GradientTarget<T> dx) {
    Thrust::for_each_index(count, kernels::ScaleElement<T>{dy, number, tensor, dx});
  }

  template <class T>
  static void backward_factor(Index count, const T* x, const T* dy, GradientTarget<T> dfactor) {
    kernels::thrust_sum(count, kernels::ScaleFactorTerm<T>{x, dy}, 1, dfactor);
  }
};

}  // namespace weft
