// SPDX-License-Identifier: Apache-2.0
/// \file
/// Message passing by its definition, straight from a list of edges: what the sorted forms are compared with.
#pragma once

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

}  // namespace weft::kernels
