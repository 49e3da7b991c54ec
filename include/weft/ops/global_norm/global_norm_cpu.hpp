// SPDX-License-Identifier: Apache-2.0
/// \file
/// Norms over many tensors, on the CPU.
#pragma once

#include "weft/ops/elementwise/block_sum.hpp"
#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/global_norm/global_norm_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct GlobalNormKernels<Cpu> {
  /// Σ x², in blocks whose sums are added in order: the same bits for any number of threads.
  template <class T>
  static double sum_of_squares(Index count, const T* values) {
    struct SquareBlocks;
    return static_cast<double>(kernels::block_sum<SquareBlocks, T>(count, [&](Index i, auto access, auto& sum) {
      const kernels::Vector<T> x = access.load(values + i);
      sum = xsimd::fma(x, x, sum);
    }));
  }

  /// x *= factor
  template <class T>
  static void scale(Index count, double factor, T* values) {
    const kernels::Vector<T> by(static_cast<T>(factor));
    kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
      access.store(values + i, kernels::Vector<T>(by * access.load(values + i)));
    });
  }
};

}  // namespace weft
