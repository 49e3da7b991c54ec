// SPDX-License-Identifier: Apache-2.0
/// \file
/// `gated_product` on Thrust devices: the naive activations, one thread an element.
#pragma once

#include "weft/ops/activation/activation_naive.hpp"
#include "weft/ops/gated_product/gated_product_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// y = act(gate) up
template <class T>
struct GatedProductElement {
  Activation activation;
  const T* gate;
  const T* up;
  T* y;

  WEFT_HOST_DEVICE void operator()(Index i) const { y[i] = activation_naive(activation, gate[i]) * up[i]; }
};

/// dgate = dy up act'(gate),  dup = dy act(gate); dgate may be dy.
template <class T>
struct GatedProductSlopeElement {
  Activation activation;
  const T* gate;
  const T* up;
  const T* dy;
  GradientTarget<T> dgate;
  GradientTarget<T> dup;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    const T slope = dy[i];
    if (dgate.data != nullptr) {
      contribute(dgate.data, dgate.accumulate, i, slope * up[i] * activation_slope_naive(activation, gate[i]));
    }
    if (dup.data != nullptr) contribute(dup.data, dup.accumulate, i, slope * activation_naive(activation, gate[i]));
  }
};

}  // namespace kernels

template <>
struct GatedProductKernels<Thrust> {
  template <class T>
  static void forward(Activation activation, Index count, const T* gate, const T* up, T* y) {
    Thrust::for_each_index(count, kernels::GatedProductElement<T>{activation, gate, up, y});
  }

  template <class T>
  static void backward(Activation activation, Index count, const T* gate, const T* up, const T* dy,
                       GradientTarget<T> dgate, GradientTarget<T> dup) {
    Thrust::for_each_index(count, kernels::GatedProductSlopeElement<T>{activation, gate, up, dy, dgate, dup});
  }
};

}  // namespace weft
