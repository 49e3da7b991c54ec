// SPDX-License-Identifier: Apache-2.0
/// \file
/// The gated product by its definition: what the fast kernel is compared with.
#pragma once

#include "weft/ops/activation/activation_naive.hpp"

namespace weft::kernels {

/// y = act(gate) up
template <class T>
void gated_product_naive(Activation activation, Index count, const T* gate, const T* up, T* y) {
  for (Index i = 0; i < count; ++i) y[i] = activation_naive(activation, gate[i]) * up[i];
}

/// dgate = dy up act'(gate),  dup = dy act(gate)
template <class T>
void gated_product_backward_naive(Activation activation, Index count, const T* gate, const T* up, const T* dy, T* dgate,
                                  T* dup) {
  for (Index i = 0; i < count; ++i) {
    dgate[i] = dy[i] * up[i] * activation_slope_naive(activation, gate[i]);
    dup[i] = dy[i] * activation_naive(activation, gate[i]);
  }
}

}  // namespace weft::kernels
