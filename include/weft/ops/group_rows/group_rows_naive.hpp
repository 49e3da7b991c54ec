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
  for (Index b = 0; b < size.batch; ++b) {
    for (Index t = 0; t < size.tokens; ++t) {
      const Index row = size.row_of(b, t);
      for (Index c = 0; c < size.features; ++c) {
        const Index at = (b * size.tokens + t) * size.features + c;
        y[at] = base == nullptr ? T{0} : base[at];
        if (row >= 0) y[at] += rows[(b * size.rows + row) * size.features + c];
      }
    }
  }
}

/// drows[b, n] = Σ dy[b, t] over the tokens of group n
template <class T>
void group_rows_backward_naive(const GroupRowsSize& size, const T* dy, T* drows) {
  std::fill_n(drows, size.batch * size.rows * size.features, T{0});
  for (Index b = 0; b < size.batch; ++b) {
    for (Index t = 0; t < size.tokens; ++t) {
      const Index row = size.row_of(b, t);
      if (row < 0) continue;
      for (Index c = 0; c < size.features; ++c) {
        drows[(b * size.rows + row) * size.features + c] += dy[(b * size.tokens + t) * size.features + c];
      }
    }
  }
}

}  // namespace weft::kernels
