// SPDX-License-Identifier: Apache-2.0
/// \file
/// Threshold modes on rows of an adjacency, forwards and backwards.
#pragma once

#include "weft/ops/adjacency/threshold_function.hpp"
#include "weft/ops/adjacency/top_k_row.hpp"
#include "weft/ops/vector_loop.hpp"

namespace weft::kernels {

/// A block of rows of an adjacency: row r stands at key position `position + r`.
struct AdjacencyRowsSize {
  Index rows;
  Index columns;   ///< keys that the rows hold; for `top_k` all keys
  Index position;  ///< of the first row among the keys

  /// The entries of a row that the causal cut leaves.
  Index kept(Index row) const { return std::clamp<Index>(position + row + 1, 0, columns); }
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
    for (Index r = 0; r < size.rows; ++r) body(r, a + r * size.columns, p + r * size.columns);
  };
  if (options.mode == ThresholdMode::top_k) {
    return for_each_row(
        [&](Index r, const T* from, T* to) { top_k_row(options, from, size.columns, size.position + r, to); });
  }
  if (options.mode == ThresholdMode::scaled_topk_causal_4d) {
    return for_each_row([&](Index r, const T* from, T* to) {
      scaled_top_k_row(options, threshold, from, std::min(size.position + r, size.columns), size.columns, to);
    });
  }
  visit_threshold_function(options, threshold, [&](const auto& function) {
    for_each_row([&](Index r, const T* from, T* to) {
      const Index kept = size.kept(r);
      for_each_vector<T>(kept,
                         [&](Index j, auto access) { access.store(to + j, function.value(access.load(from + j))); });
      std::fill(to + kept, to + size.columns, T{0});
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
      const Index kept = size.kept(r);
      Vector<T> row_sum(T{0});
      for_each_vector<T>(kept, [&](Index j, auto access) {
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
