// SPDX-License-Identifier: Apache-2.0
/// \file
/// `add_group_rows` by its definition: what the fast kernel is compared with.
#pragma once

#include <algorithm>

#include "weft/ops/group_rows/group_rows_kernels.hpp"

namespace weft::kernels {

/// y[b, t] = base[b, t] + rows[b, row of t]; base may be null
template <class T>
void group_rows_naive(const GroupRowsSize& size, const T* base, const T* rows, T* y) {
  for (Index at = 0; at < size.batch * size.tokens; ++at) {
    const Index row = size.row_of(at);
    for (Index c = 0; c < size.features; ++c) {
      T& value = y[at * size.features + c];
      value = base == nullptr ? T{0} : base[at * size.features + c];
      if (row >= 0) value += rows[row * size.features + c];
    }
  }
}

/// drows[b, n] = Σ dy[b, t] over the tokens of group n
template <class T>
void group_rows_backward_naive(const GroupRowsSize& size, const T* dy, T* drows) {
  std::fill_n(drows, size.texts() * size.rows * size.features, T{0});
  for (Index at = 0; at < size.batch * size.tokens; ++at) {
    const Index row = size.row_of(at);
    if (row < 0) continue;
    for (Index c = 0; c < size.features; ++c) drows[row * size.features + c] += dy[at * size.features + c];
  }
}

}  // namespace weft::kernels
