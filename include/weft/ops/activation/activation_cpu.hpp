// SPDX-License-Identifier: Apache-2.0
/// \file
/// `activate` on the CPU.
#pragma once

#include "weft/ops/activation/activation_block.hpp"
#include "weft/ops/activation/activation_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct ActivationKernels<Cpu> {
  /// y = act(x)
  template <class T>
  static void forward(Activation activation, Index count, const T* x, T* y) {
    kernels::for_each_activation(activation, count, x, [&](Index i, auto access, const auto& value, const auto&) {
      access.store(y + i, value);
    });
  }

  /// dx = dy act'(x)
  template <class T>
  static void backward(Activation activation, Index count, const T* x, const T* dy, GradientTarget<T> dx) {
    kernels::for_each_activation(activation, count, x, [&](Index i, auto access, const auto&, const auto& slope) {
      kernels::store_gradient(dx, i, access.load(dy + i) * slope, access);
    });
  }
};

}  // namespace weft
