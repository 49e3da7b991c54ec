// SPDX-License-Identifier: Apache-2.0
/// \file
/// `activate` on Thrust devices: the naive functions, one thread an element.
#pragma once

#include "weft/ops/activation/activation_kernels.hpp"
#include "weft/ops/activation/activation_naive.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// y = act(x)
template <class T>
struct ActivationElement {
  Activation activation;
  const T* x;
  T* y;

  WEFT_HOST_DEVICE void operator()(Index i) const { y[i] = activation_naive(activation, x[i]); }
};

/// dx = dy act'(x)
template <class T>
struct ActivationSlopeElement {
  Activation activation;
  const T* x;
  const T* dy;
  T* dx;
  bool accumulate;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    contribute(dx, accumulate, i, dy[i] * activation_slope_naive(activation, x[i]));
  }
};

}  // namespace kernels

template <>
struct ActivationKernels<Thrust> {
  template <class T>
  static void forward(Activation activation, Index count, const T* x, T* y) {
    Thrust::for_each_index(count, kernels::ActivationElement<T>{activation, x, y});
  }

  template <class T>
  static void backward(Activation activation, Index count, const T* x, const T* dy, GradientTarget<T> dx) {
    Thrust::for_each_index(count, kernels::ActivationSlopeElement<T>{activation, x, dy, dx.data, dx.accumulate});
  }
};

}  // namespace weft
