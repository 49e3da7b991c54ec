// SPDX-License-Identifier: Apache-2.0
/// \file
/// Message passing by its definition, straight from a list of edges: what the sorted forms are compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "weft/ops/message_passing/graph_builder.hpp"

namespace weft::kernels {

/// Whether a causal layer keeps edge e.
template <class Integer>
bool keeps_edge_naive(const EdgeList<Integer>& list, EdgeFilter filter, Index e) {
  const Integer s = list.source[e];
  const Integer u = list.target[e];
  if (list.graph_of != nullptr && list.graph_of[s] != list.graph_of[u]) return false;
  return filter == EdgeFilter::all || (filter == EdgeFilter::causal ? s <= u : s < u);
}

/// y_u = self x_u + sum over edges (s, u) of w x_s
template <class T, class Integer>
void aggregate_edges_naive(const EdgeList<Integer>& list, EdgeFilter filter, Index features, const T* x,
                           const T* weights, T self, T* y) {
  for (Index i = 0; i < list.nodes * features; ++i) y[i] = self * x[i];
  for (Index e = 0; e < list.edges; ++e) {
    if (!keeps_edge_naive(list, filter, e)) continue;
    for (Index f = 0; f < features; ++f) {
      const T w = weights == nullptr ? T{1} : weights[e];
      y[static_cast<Index>(list.target[e]) * features + f] += w * x[static_cast<Index>(list.source[e]) * features + f];
    }
  }
}

/// y_u = sum over edges (s, u) of softmax_u(w leaky(scores_u0 + scores_s1)) x_s
template <class T, class Integer>
void edge_softmax_naive(const EdgeList<Integer>& list, EdgeFilter filter, Index features, const T* x, const T* scores,
                        const T* weights, T* y) {
  std::fill_n(y, list.nodes * features, T{0});
  std::vector<T> raw(static_cast<std::size_t>(list.edges));
  for (Index u = 0; u < list.nodes; ++u) {
    const auto into_u = [&](Index e) {
      return static_cast<Index>(list.target[e]) == u && keeps_edge_naive(list, filter, e);
    };
    T sum = 0;
    for (Index e = 0; e < list.edges; ++e) {
      if (!into_u(e)) continue;
      const T z = scores[2 * u] + scores[2 * static_cast<Index>(list.source[e]) + 1];
      raw[static_cast<std::size_t>(e)] = std::exp((z > 0 ? z : T(0.2) * z) * (weights == nullptr ? T{1} : weights[e]));
      sum += raw[static_cast<std::size_t>(e)];
    }
    for (Index e = 0; e < list.edges; ++e) {
      if (!into_u(e)) continue;
      for (Index f = 0; f < features; ++f) {
        y[u * features + f] +=
            raw[static_cast<std::size_t>(e)] / sum * x[static_cast<Index>(list.source[e]) * features + f];
      }
    }
  }
}

}  // namespace weft::kernels
