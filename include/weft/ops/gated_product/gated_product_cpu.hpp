// SPDX-License-Identifier: Apache-2.0
/// \file
/// `gated_product` on the CPU: one sweep forward, one backward. SiLU, the usual one, is computed in the same registers.
#pragma once

#include "weft/ops/activation/activation_block.hpp"
#include "weft/ops/gated_product/gated_product_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct GatedProductKernels<Cpu> {
  /// y = act(gate) up
  template <class T>
  static void forward(Activation activation, Index count, const T* gate, const T* up, T* y) {
    if (activation == Activation::silu) {
      kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
        access.store(y + i, kernels::silu(access.load(gate + i)) * access.load(up + i));
      });
    } else {
      kernels::for_each_activation(activation, count, gate, [&](Index i, auto access, const auto& value, const auto&) {
        access.store(y + i, value * access.load(up + i));
      });
    }
  }

  /// dgate = dy up act'(gate),  dup = dy act(gate); either may be unwanted, and dgate may be dy.
  template <class T>
  static void backward(Activation activation, Index count, const T* gate, const T* up, const T* dy,
                       GradientTarget<T> dgate, GradientTarget<T> dup) {
    const auto store = [&](Index i, auto access, const auto& value, const auto& slope) {
      const auto dys = access.load(dy + i);
      if (dgate) kernels::store_gradient(dgate, i, dys * access.load(up + i) * slope, access);
      if (dup) kernels::store_gradient(dup, i, dys * value, access);
    };
    if (activation == Activation::silu) {
      kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
        const auto [value, slope] = kernels::silu_and_slope(access.load(gate + i));
        store(i, access, value, slope);
      });
    } else {
      kernels::for_each_activation(activation, count, gate, store);
    }
  }
};

}  // namespace weft
