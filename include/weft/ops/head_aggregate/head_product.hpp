// SPDX-License-Identifier: Apache-2.0
/// \file
/// Products with the adjacency of one head, by blocks of rows: what lies behind the last entry of a block is skipped.
#pragma once

#include <algorithm>

#include "weft/ops/matmul/matmul_kernel.hpp"

namespace weft::kernels {

/// Rows of an adjacency that are multiplied together.
inline constexpr Index kHeadProductRows = 64;

/// The columns up to the last one in which one of the rows is not 0. An adjacency under a causal mask is 0 above its
/// diagonal: finding that out costs a small part of what it saves.
template <class T>
Index used_columns(Index rows, Index columns, const T* a) {
  Index used = 0;
  for (Index r = 0; r < rows; ++r, a += columns) {
    Index last = columns;
    while (last > used && a[last - 1] == T{0}) --last;
    used = last;
  }
  return used;
}

/// y[queries, dim] = A[queries, keys] x[keys, dim]; rows of x and y lie x_row and y_row elements apart. Zeros behind a
/// block's last entry count as absent: they hide infinities of x.
template <class T>
void head_product(Index queries, Index keys, Index dim, const T* a, const T* x, Index x_row, T* y, Index y_row) {
  for (Index first = 0; first < queries; first += kHeadProductRows) {
    const Index rows = std::min(kHeadProductRows, queries - first);
    const Index used = used_columns(rows, keys, a + first * keys);
    matmul(Transpose::no, Transpose::no, rows, dim, used, a + first * keys, keys, x, x_row, y + first * y_row, y_row);
  }
}

/// dx[keys, dim] += Aᵀ dy
template <class T>
void head_product_backward(Index queries, Index keys, Index dim, const T* a, const T* dy, Index dy_row, T* dx,
                           Index dx_row) {
  for (Index first = 0; first < queries; first += kHeadProductRows) {
    const Index rows = std::min(kHeadProductRows, queries - first);
    const Index used = used_columns(rows, keys, a + first * keys);
    matmul(Transpose::yes, Transpose::no, used, dim, rows, a + first * keys, keys, dy + first * dy_row, dy_row, dx,
           dx_row, MatmulEpilogue<T>{nullptr, true, T{1}});
  }
}

}  // namespace weft::kernels
