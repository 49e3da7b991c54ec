// SPDX-License-Identifier: Apache-2.0
/// \file
/// `add` on the CPU.
#pragma once

#include "weft/ops/add/add_kernels.hpp"
#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct AddKernels<Cpu> {
  /// y = a + b
  template <class T>
  static void forward(Index count, const T* a, const T* b, T* y) {
    kernels::parallel_for_each_vector<T>(
        count, [&](Index i, auto access) { access.store(y + i, access.load(a + i) + access.load(b + i)); });
  }

  /// target = values, or target += values
  template <class T>
  static void accumulate(Index count, const T* values, GradientTarget<T> target) {
    kernels::add_to_gradient(count, values, target);
  }
};

}  // namespace weft
