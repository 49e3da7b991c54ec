// SPDX-License-Identifier: Apache-2.0
/// \file
/// Weighted sums of rows along the edges of a graph: the loop of every aggregation and of its derivative.
#pragma once

#include <algorithm>

#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/message_passing/graph.hpp"

namespace weft::kernels {

/// to = self own + sum over p in [first, last) of factor(p) rows[neighbour[p]], or added to `to`.
template <class T, class Factor>
inline void weighted_row(Index features, GraphIndex first, GraphIndex last, const GraphIndex* neighbour,
                         Factor&& factor, const T* rows, T self, const T* own, const GradientTarget<T>& to) {
  const auto columns = [&](Index column, auto access, auto... offsets) {
    Vector<T> sums[sizeof...(offsets)];
    for (auto& sum : sums) sum = Vector<T>(T{0});
    if (own != nullptr) {
      Index way = 0;
      ((sums[way++] = Vector<T>(self) * access.load(own + column + offsets)), ...);
    }
    for (GraphIndex p = first; p < last; ++p) {
      const Vector<T> weight(factor(p));
      const T* row = rows + static_cast<Index>(neighbour[p]) * features + column;
      Index way = 0;
      ((sums[way] = multiply_add(weight, access.load(row + offsets), sums[way]), ++way), ...);
    }
    Index way = 0;
    (store_gradient(to, column + offsets, sums[way++], access), ...);
  };
  constexpr Index lanes = kLanes<T>;
  Index column = 0;
  for (; column + 4 * lanes <= features; column += 4 * lanes) {
    columns(column, WholeVector{}, Index{0}, lanes, 2 * lanes, 3 * lanes);
  }
  for_each_vector<T>(features - column, [&](Index rest, auto access) { columns(column + rest, access, Index{0}); });
}

/// Runs body(node) for every node, on all threads: each costs its edges and itself.
template <class Body>
inline void for_each_node(const Graph& graph, Index features, Body&& body) {
  const Index rows = graph.nodes > 0 ? graph.edges / graph.nodes + 1 : 1;
  parallel_for(graph.nodes, rows_worth_a_thread(features * rows), [&](Index begin, Index end) {
    for (Index node = begin; node < end; ++node) body(node);
  });
}

/// a · b
template <class T>
inline T dot_row(Index features, const T* a, const T* b) {
  return row_sums<T, 1>(features, [&](Index i, auto access, auto& sums) {
    sums[0] = multiply_add(access.load(a + i), access.load(b + i), sums[0]);
  })[0];
}

/// Zeros where nothing was accumulated yet, so that single entries may be added to.
template <class T>
inline void prepare_to_add(Index count, const GradientTarget<T>& target) {
  if (target.accumulate) return;
  parallel_for(count, kElementsWorthAThread,
               [&](Index begin, Index end) { std::fill(target.data + begin, target.data + end, T{0}); });
}

}  // namespace weft::kernels
