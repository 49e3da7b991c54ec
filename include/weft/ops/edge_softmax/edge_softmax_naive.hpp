// SPDX-License-Identifier: Apache-2.0
/// \file
/// Attention over edges by its definition, straight from a list of edges: what the sorted form is compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "weft/ops/message_passing/message_passing_naive.hpp"

namespace weft::kernels {

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
