// SPDX-License-Identifier: Apache-2.0
/// \file
/// The largest value of every channel among the neighbours of one node.
#pragma once

#include <algorithm>
#include <limits>

#include "weft/ops/vector_loop.hpp"

namespace weft::kernels {

/// best[c] = max over {j : row[j] > 0} of values[j * stride + c], the first j where several are equal; `from[c]` is that j as
/// a number of T, or -1 and `empty` where there is no neighbour.
template <class T>
void neighbour_max_row(Index keys, const T* row, const T* values, Index stride, Index dim, T empty, T* best, T* from) {
  std::fill_n(best, dim, -std::numeric_limits<T>::infinity());
  std::fill_n(from, dim, T{-1});
  bool any = false;
  for (Index j = 0; j < keys; ++j) {
    if (!(row[j] > T{0})) continue;
    any = true;
    const T* value = values + j * stride;
    const Vector<T> number(static_cast<T>(j));
    for_each_vector<T>(dim, [&](Index c, auto access) {
      const Vector<T> found = access.load(value + c);
      const Vector<T> before = access.load(best + c);
      const auto better = found > before;
      access.store(best + c, xsimd::select(better, found, before));
      access.store(from + c, xsimd::select(better, number, access.load(from + c)));
    });
  }
  if (!any) std::fill_n(best, dim, empty);
}

/// d values[from[c]][c] += d[c]
template <class T>
void neighbour_max_row_backward(Index dim, const T* from, const T* d, T* d_values, Index stride) {
  for (Index c = 0; c < dim; ++c) {
    if (from[c] >= T{0}) d_values[static_cast<Index>(from[c]) * stride + c] += d[c];
  }
}

}  // namespace weft::kernels
