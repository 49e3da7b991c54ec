// SPDX-License-Identifier: Apache-2.0
/// \file
/// `scale` on the CPU.
#pragma once

#include "weft/ops/elementwise/block_sum.hpp"
#include "weft/ops/scale/scale_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct ScaleKernels<Cpu> {
  /// y = factor x, where the factor is `number` or, unless that is null, `tensor[0]`
  template <class T>
  static void forward(Index count, const T* x, T number, const T* tensor, T* y) {
    backward_input(count, x, number, tensor, GradientTarget<T>{y, false});
  }

  /// dx = factor dy
  template <class T>
  static void backward_input(Index count, const T* dy, T number, const T* tensor, GradientTarget<T> dx) {
    const kernels::Vector<T> factor(tensor != nullptr ? tensor[0] : number);
    kernels::parallel_for_each_vector<T>(
        count, [&](Index i, auto access) { kernels::store_gradient(dx, i, factor * access.load(dy + i), access); });
  }

  /// dfactor = Σ dy x
  template <class T>
  static void backward_factor(Index count, const T* x, const T* dy, GradientTarget<T> dfactor) {
    struct ScaleBlocks;
    const T sum = kernels::block_sum<ScaleBlocks, T>(count, [&](Index i, auto access, auto& terms) {
      terms = kernels::multiply_add(access.load(dy + i), access.load(x + i), terms);
    });
    dfactor.data[0] = dfactor.accumulate ? dfactor.data[0] + sum : sum;
  }
};

}  // namespace weft
