// SPDX-License-Identifier: Apache-2.0
/// \file
/// `sum` and `mean` on the CPU.
#pragma once

#include "weft/ops/elementwise/block_sum.hpp"
#include "weft/ops/sum/sum_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct SumKernels<Cpu> {
  /// y[0] = Σ x / divisor
  template <class T>
  static void forward(Index count, T divisor, const T* x, T* y) {
    struct SumBlocks;
    y[0] =
        kernels::block_sum<SumBlocks, T>(count, [&](Index i, auto access, auto& sum) { sum += access.load(x + i); }) /
        divisor;
  }

  /// dx = dy[0] / divisor everywhere
  template <class T>
  static void backward(Index count, T divisor, const T* dy, GradientTarget<T> dx) {
    const kernels::Vector<T> each(dy[0] / divisor);
    kernels::parallel_for_each_vector<T>(count,
                                         [&](Index i, auto access) { kernels::store_gradient(dx, i, each, access); });
  }
};

}  // namespace weft
