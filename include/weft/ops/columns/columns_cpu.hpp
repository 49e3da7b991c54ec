// SPDX-License-Identifier: Apache-2.0
/// \file
/// Slices of columns on the CPU.
#pragma once

#include <algorithm>

#include "weft/ops/columns/columns_kernels.hpp"
#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct ColumnsKernels<Cpu> {
  /// `width` values of each row, from one array of rows to another of other length; `add`s them or overwrites.
  template <class T>
  static void copy(Index rows, Index width, const T* from, Index from_row, T* to, Index to_row, bool add) {
    parallel_for(rows, kernels::rows_worth_a_thread(width), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        const T* source = from + row * from_row;
        T* target = to + row * to_row;
        if (add) {
          for (Index i = 0; i < width; ++i) target[i] += source[i];
        } else {
          std::copy_n(source, width, target);
        }
      }
    });
  }

  template <class T>
  static void zero(Index count, T* to) {
    std::fill_n(to, count, T{0});
  }
};

}  // namespace weft
