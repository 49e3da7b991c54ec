// SPDX-License-Identifier: Apache-2.0
/// \file
/// `shape_adjacency` by its definition, entry by entry: what the fast kernel is compared with.
#pragma once

#include <algorithm>
#include <cmath>

#include "weft/ops/graph_adjacency/graph_adjacency_options.hpp"

namespace weft::kernels {

/// One entry, in the seven steps of the definition.
template <class T>
T graph_adjacency_entry_naive(const GraphAdjacencyProblem<T>& p, const T* weights, const T* additional, Index b,
                              Index map, Index i, Index j) {
  const auto& o = p.options;
  const auto sigma = [](T x) { return 1 / (1 + std::exp(-x)); };
  const Index own = p.mask.past + i, keys = p.mask.past + p.tokens;
  const auto weight = [&](Index head) { return weights[((b * p.heads + head) * p.tokens + i) * keys + j]; };
  const auto soft = [&](Index head) {
    return sigma((weight(head) - static_cast<T>(o.threshold)) / static_cast<T>(o.tau));
  };
  if (p.mask.apart(p.tokens, b, i, j)) return 0;
  T value = p.combine == GraphAdjacencyCombine::sigmoid ? soft(map) : weight(map);
  for (Index head = 0; head < p.heads && p.combine != GraphAdjacencyCombine::keep; ++head) {
    if (p.combine == GraphAdjacencyCombine::any) value = head == 0 ? soft(0) : std::max(value, soft(head));
    if (p.combine == GraphAdjacencyCombine::sum || p.combine == GraphAdjacencyCombine::mean) {
      value = head == 0 ? weight(0) : value + weight(head);
    }
  }
  if (p.combine == GraphAdjacencyCombine::sum) value = std::min(value, T{1});
  if (p.combine == GraphAdjacencyCombine::mean) value /= static_cast<T>(p.heads);
  if (p.distance_factors != nullptr) value *= p.distance_factors[std::abs(own - j)];
  const bool seen = p.mask.sees(p.tokens, b, i, j);
  if (!seen) value = 0;
  if (o.alpha > 0) value = sigma(static_cast<T>(o.alpha) * (value - static_cast<T>(o.threshold)));
  if (o.alpha > 0 && o.respects_mask && !seen) value = 0;
  if (o.zero_below_epsilon && !(value > static_cast<T>(o.epsilon_threshold))) value = 0;
  if (o.remove_self_connections && own == j) value = 0;
  if (o.enforce_causality && j > own) value = 0;
  if (additional == nullptr) return value;
  return value + std::min(additional[((b * p.maps + map) * p.tokens + i) * keys + j], T{1});
}

template <class T>
void graph_adjacency_naive(const GraphAdjacencyProblem<T>& p, const T* weights, const T* additional, T* adjacency) {
  for (Index b = 0; b < p.batch; ++b) {
    for (Index map = 0; map < p.maps; ++map) {
      for (Index i = 0; i < p.tokens; ++i) {
        for (Index j = 0; j < p.mask.past + p.tokens; ++j) {
          *adjacency++ = graph_adjacency_entry_naive(p, weights, additional, b, map, i, j);
        }
      }
    }
  }
}

}  // namespace weft::kernels
