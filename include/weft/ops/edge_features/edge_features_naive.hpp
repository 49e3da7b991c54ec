// SPDX-License-Identifier: Apache-2.0
/// \file
/// What messages are made of, edge by edge of a list: what the fast kernels are compared with.
#pragma once

#include "weft/ops/edge_features/edge_features_kernels.hpp"
#include "weft/ops/message_passing/message_passing_naive.hpp"

namespace weft::kernels {

/// The rows [x_u, x_s, attributes] of the kept edges (s, u), targets in ascending order, in each of them the order of the
/// list; of x the columns [first, first + width). `attributes` has a row for each edge of the list.
template <class T, class Integer>
void edge_features_naive(const EdgeList<Integer>& list, EdgeFilter filter, const EdgeFeaturesSize& size, const T* x,
                         const T* attributes, T* y) {
  const auto end_of = [&](Integer node, Index f) {
    return x[static_cast<Index>(node) * size.columns + size.first + f];
  };
  for (Index u = 0; u < list.nodes; ++u) {
    for (Index e = 0; e < list.edges; ++e) {
      if (static_cast<Index>(list.target[e]) != u || !keeps_edge_naive(list, filter, e)) continue;
      for (Index f = 0; f < size.width; ++f) *y++ = end_of(list.target[e], f);
      for (Index f = 0; f < size.width; ++f) *y++ = end_of(list.source[e], f);
      for (Index f = 0; f < size.attributes; ++f) *y++ = attributes[e * size.attributes + f];
    }
  }
}

}  // namespace weft::kernels
