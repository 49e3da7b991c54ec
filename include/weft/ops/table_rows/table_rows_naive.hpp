// SPDX-License-Identifier: Apache-2.0
/// \file
/// `table_rows` by its definition: what the fast kernel is compared with.
#pragma once

#include "weft/ops/table_rows/table_rows_kernels.hpp"

namespace weft::kernels {

/// y[b, t] = x[b, t] + factor table[first + t]; x may be null
template <class T>
void table_rows_naive(const TableRowsSize& size, const T* x, const T* table, T factor, T* y) {
  for (Index b = 0; b < size.batch; ++b) {
    for (Index t = 0; t < size.rows; ++t) {
      for (Index c = 0; size.result(b, t) >= 0 && c < size.features; ++c) {
        const Index at = size.token(b, t);
        const T old = x == nullptr || at < 0 ? T{0} : x[at * size.features + c];
        y[size.result(b, t) * size.features + c] = old + factor * table[(size.first + t) * size.features + c];
      }
    }
  }
}

}  // namespace weft::kernels
