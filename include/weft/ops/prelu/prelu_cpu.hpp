// SPDX-License-Identifier: Apache-2.0
/// \file
/// `prelu` on the CPU.
#pragma once

#include "weft/ops/elementwise/block_sum.hpp"
#include "weft/ops/prelu/prelu_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct PReLUKernels<Cpu> {
  /// y = x where x > 0, slope x elsewhere
  template <class T>
  static void forward(Index count, const T* x, T slope, T* y) {
    using V = kernels::Vector<T>;
    kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
      const V value = access.load(x + i);
      access.store(y + i, V(xsimd::select(value > V(T{0}), value, V(value * V(slope)))));
    });
  }

  /// dx = dy where x > 0, slope dy elsewhere
  template <class T>
  static void backward_input(Index count, const T* x, T slope, const T* dy, GradientTarget<T> dx) {
    using V = kernels::Vector<T>;
    kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
      const V upstream = access.load(dy + i);
      const V value = xsimd::select(access.load(x + i) > V(T{0}), upstream, V(upstream * V(slope)));
      kernels::store_gradient(dx, i, value, access);
    });
  }

  /// dslope = sum of dy x where x <= 0
  template <class T>
  static void backward_slope(Index count, const T* x, const T* dy, GradientTarget<T> dslope) {
    struct SlopeSums;
    using V = kernels::Vector<T>;
    const T sum = kernels::block_sum<SlopeSums, T>(count, [&](Index i, auto access, auto& total) {
      const V value = access.load(x + i);
      const V below = xsimd::select(value > V(T{0}), V(T{0}), value);
      total = kernels::multiply_add(V(access.load(dy + i)), below, total);
    });
    *dslope.data = dslope.accumulate ? *dslope.data + sum : sum;
  }
};

}  // namespace weft
