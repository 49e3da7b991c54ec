// SPDX-License-Identifier: Apache-2.0
/// \file
/// Slices of columns by their definition: what the fast kernel is compared with.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// to[row, i] = from[row, i] for i < width, or added; rows of different length
template <class T>
void copy_columns_naive(Index rows, Index width, const T* from, Index from_row, T* to, Index to_row, bool add) {
  for (Index row = 0; row < rows; ++row) {
    for (Index i = 0; i < width; ++i) {
      const T before = add ? to[row * to_row + i] : T{0};
      to[row * to_row + i] = before + from[row * from_row + i];
    }
  }
}

}  // namespace weft::kernels
