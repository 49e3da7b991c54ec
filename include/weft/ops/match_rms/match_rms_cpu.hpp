// SPDX-License-Identifier: Apache-2.0
/// \file
/// `match_rms` on the CPU.
#pragma once

#include "weft/ops/elementwise/block_sum.hpp"
#include "weft/ops/match_rms/match_rms_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct MatchRMSKernels<Cpu> {
  /// sum of a b
  template <class T>
  static T dot(Index count, const T* a, const T* b) {
    struct DotSums;
    return kernels::block_sum<DotSums, T>(count, [&](Index i, auto access, auto& total) {
      total = kernels::multiply_add(access.load(a + i), access.load(b + i), total);
    });
  }

  /// to = p a + q b, or added
  template <class T>
  static void combine(Index count, T p, const T* a, T q, const T* b, GradientTarget<T> to) {
    using V = kernels::Vector<T>;
    kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
      const V value = kernels::multiply_add(V(p), access.load(a + i), V(V(q) * access.load(b + i)));
      kernels::store_gradient(to, i, value, access);
    });
  }
};

}  // namespace weft
