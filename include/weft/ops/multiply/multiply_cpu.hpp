// SPDX-License-Identifier: Apache-2.0
/// \file
/// `multiply` on the CPU.
#pragma once

#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/multiply/multiply_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct MultiplyKernels<Cpu> {
  /// y = a b
  template <class T>
  static void forward(Index count, const T* a, const T* b, T* y) {
    kernels::parallel_for_each_vector<T>(
        count, [&](Index i, auto access) { access.store(y + i, access.load(a + i) * access.load(b + i)); });
  }

  /// da = dy b,  db = dy a; either may be unwanted, and both may be one tensor's.
  template <class T>
  static void backward(Index count, const T* a, const T* b, const T* dy, GradientTarget<T> da, GradientTarget<T> db) {
    kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
      const auto dys = access.load(dy + i);
      if (da) kernels::store_gradient(da, i, dys * access.load(b + i), access);
      if (db) kernels::store_gradient(db, i, dys * access.load(a + i), access);
    });
  }
};

}  // namespace weft
