// SPDX-License-Identifier: Apache-2.0
/// \file
/// One row of an adjacency: the weights of all edges of a query.
#pragma once

#include <algorithm>

#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/elementwise/vector_math.hpp"
#include "weft/ops/graph_adjacency/graph_adjacency_options.hpp"

namespace weft::kernels {

/// Row i of map `map` of text b.
template <class T>
struct GraphAdjacencyRow {
  const GraphAdjacencyProblem<T>& problem;
  Index b;
  Index map;
  Index i;

  Index tokens() const { return problem.tokens; }
  /// The query's own key.
  Index own() const { return problem.mask.past + i; }
  Index width() const { return problem.diagonal ? 1 : problem.mask.past + tokens(); }
  /// Columns behind this are 0 because of `enforce_causality`.
  Index columns() const { return !problem.diagonal && problem.options.enforce_causality ? own() + 1 : width(); }
  Index offset(Index maps, Index m) const { return ((b * maps + m) * tokens() + i) * width(); }
  /// The key of a column.
  Index key(Index column) const { return problem.diagonal ? own() : column; }
  T distance_factor(Index column) const {
    const Index j = key(column);
    return problem.distance_factors == nullptr ? T{1} : problem.distance_factors[own() < j ? j - own() : own() - j];
  }
  bool sees(Index column) const { return problem.mask.sees(tokens(), b, i, key(column)); }
  bool apart(Index column) const { return problem.mask.apart(tokens(), b, i, key(column)); }

  /// row[j] = sigmoid((row[j] - threshold) factor)
  void transform(T* row, double factor) const {
    using V = Vector<T>;
    const V threshold(static_cast<T>(problem.options.threshold));
    const V steepness(static_cast<T>(factor));
    for_each_vector<T>(columns(), [&](Index j, auto access) {
      access.store(row + j, sigmoid(V((access.load(row + j) - threshold) * steepness)));
    });
  }

  /// Steps 1: the heads become one value.
  void combine(const T* weights, T* row) const {
    const Index count = columns();
    if (problem.combine == GraphAdjacencyCombine::keep || problem.combine == GraphAdjacencyCombine::sigmoid) {
      std::copy_n(weights + offset(problem.heads, map), count, row);
    } else {
      const bool largest = problem.combine == GraphAdjacencyCombine::any;
      std::copy_n(weights + offset(problem.heads, 0), count, row);
      for (Index head = 1; head < problem.heads; ++head) {
        const T* other = weights + offset(problem.heads, head);
        for (Index j = 0; j < count; ++j) row[j] = largest ? std::max(row[j], other[j]) : row[j] + other[j];
      }
    }
    if (problem.combine == GraphAdjacencyCombine::mean) {
      for (Index j = 0; j < count; ++j) row[j] /= static_cast<T>(problem.heads);
    } else if (problem.combine == GraphAdjacencyCombine::sum) {
      for (Index j = 0; j < count; ++j) row[j] = std::min(row[j], T{1});
    } else if (problem.combine != GraphAdjacencyCombine::keep) {
      transform(row, 1 / problem.options.tau);
    }
  }

  /// Steps 2 to 4: distance, mask, transform. `combined` may be `row`.
  void scale_and_transform(const T* combined, T* row) const {
    const bool masks = problem.mask.hides_something();
    for (Index j = 0; j < columns(); ++j) {
      const T visible = masks && !sees(j) ? T{0} : T{1};
      row[j] = combined[j] * distance_factor(j) * visible;
    }
    if (problem.options.alpha <= 0) return;
    transform(row, problem.options.alpha);
    if (!problem.options.respects_mask || !masks) return;
    for (Index j = 0; j < columns(); ++j) row[j] = sees(j) ? row[j] : T{0};
  }

  /// Steps 5 and 6: whether an entry with that value stays.
  bool keeps(Index j, T value) const {
    if (apart(j)) return false;
    if (problem.options.zero_below_epsilon && !(value > static_cast<T>(problem.options.epsilon_threshold)))
      return false;
    return !(problem.options.remove_self_connections && own() == key(j));
  }
};

}  // namespace weft::kernels
