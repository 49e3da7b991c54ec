// SPDX-License-Identifier: Apache-2.0
/// \file
/// Threshold modes on rows of an adjacency, forwards and backwards.
#pragma once

#include <algorithm>

#include "weft/ops/adjacency/threshold_function.hpp"
#include "weft/ops/adjacency/top_k_row.hpp"
#include "weft/ops/vector_loop.hpp"

namespace weft::kernels {

/// A block of rows of an adjacency: row r stands at key position `position + r`.
struct AdjacencyRowsSize {
  Index rows;
  Index columns;   ///< keys that the rows hold; for `top_k` all keys
  Index position;  ///< of the first row among the keys

  /// For each row a key before which its entries are 0, as if its keys began there; null: none. Not for `top_k`.
  const std::int32_t* first_key = nullptr;

  /// The entries [begin, kept) of a row that are not cut.
  Index kept(Index row) const { return std::clamp<Index>(position + row + 1, 0, columns); }
  Index begin(Index row) const { return first_key != nullptr ? std::min<Index>(first_key[row], kept(row)) : 0; }
};

/// p = mode(a), 0 above the diagonal (mode `none`: p = a, nothing cut). Rows lie `columns` apart; p must be other memory
/// than a, unless the mode is `none`.
template <class T>
void threshold_rows(const ThresholdOptions& options, T threshold, const AdjacencyRowsSize& size, const T* a, T* p) {
  if (options.mode == ThresholdMode::none) {
    if (p != a) std::copy_n(a, size.rows * size.columns, p);
    return;
  }
  const auto for_each_row = [&](auto&& body) {
    for (Index r = 0; r < size.rows; ++r) {
      const Index begin = size.begin(r);
      std::fill_n(p + r * size.columns, begin, T{0});
      body(r, begin, a + r * size.columns + begin, p + r * size.columns + begin);
    }
  };
  if (options.mode == ThresholdMode::top_k) {
    return for_each_row([&](Index r, Index /*begin*/, const T* from, T* to) {
      top_k_row(options, from, size.columns, size.position + r, to);
    });
  }
  if (options.mode == ThresholdMode::scaled_topk_causal_4d) {
    return for_each_row([&](Index r, Index begin, const T* from, T* to) {
      const Index before = std::min(size.position + r, size.columns) - begin;
      scaled_top_k_row(options, threshold, from, before, size.columns - begin, to);
    });
  }
  visit_threshold_function(options, threshold, [&](const auto& function) {
    for_each_row([&](Index r, Index begin, const T* from, T* to) {
      const Index kept = size.kept(r) - begin;
      for_each_vector<T>(kept,
                         [&](Index j, auto access) { access.store(to + j, function.value(access.load(from + j))); });
      std::fill(to + kept, to + size.columns - begin, T{0});
    });
  });
}

/// From dp to da, in place; returns d threshold. Modes without a derivative give zeros.
///
/// \param a  what forward was given
template <class T>
double threshold_rows_backward(const ThresholdOptions& options, T threshold, const AdjacencyRowsSize& size, const T* a,
                               T* d) {
  if (options.mode == ThresholdMode::none) return 0;
  if (!has_derivative(options.mode)) {
    std::fill_n(d, size.rows * size.columns, T{0});
    return 0;
  }
  double sum = 0;
  visit_threshold_function(options, threshold, [&](const auto& function) {
    for (Index r = 0; r < size.rows; ++r, a += size.columns, d += size.columns) {
      const Index begin = size.begin(r);
      const Index kept = size.kept(r);
      Vector<T> row_sum(T{0});
      std::fill_n(d, begin, T{0});
      for_each_vector<T>(kept - begin, [&](Index i, auto access) {
        const Index j = begin + i;
        const Vector<T> entry = access.load(a + j);
        const Vector<T> dp = access.load(d + j);
        row_sum = multiply_add(dp, function.by_threshold(entry), row_sum);  // dp is 0 behind the end
        access.store(d + j, Vector<T>(dp * function.by_entry(entry)));
      });
      sum += static_cast<double>(sum_lanes(row_sum));
      std::fill(d + kept, d + size.columns, T{0});
    }
  });
  return sum;
}

}  // namespace weft::kernels
