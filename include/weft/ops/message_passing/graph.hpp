// SPDX-License-Identifier: Apache-2.0
/// \file
/// A batch of directed graphs, sorted by the node that receives and, for derivatives, by the node that sends.
#pragma once

#include <cstdint>

#include "weft/tensor/types.hpp"

namespace weft {

/// Numbers of nodes and of edges inside a graph.
using GraphIndex = std::int32_t;

/// The kept edges of a graph in compressed rows. Edge p, counted in the order of targets, runs from `source[p]` to the
/// target u with target_begin[u] <= p < target_begin[u + 1], and is number `weight[p]` of the list it was built from.
/// Inside a target the edges keep the order of that list. A view: the memory belongs to the context that built it.
struct Graph {
  Index nodes = 0;
  Index senders = 0;  ///< rows that `source` counts: the nodes; in decoding those of earlier tokens as well
  Index edges = 0;    ///< kept
  Index weights = 0;  ///< values that an array of edge weights has: one for every edge of the list, kept or not
  const GraphIndex* target_begin = nullptr;  ///< [nodes + 1]
  const GraphIndex* source = nullptr;        ///< [edges]
  const GraphIndex* weight = nullptr;        ///< [edges]

  /// The same edges in the order of their sources; null where nothing is recorded.
  const GraphIndex* source_begin = nullptr;  ///< [nodes + 1]
  const GraphIndex* target = nullptr;        ///< [edges]
  const GraphIndex* place = nullptr;         ///< [edges]: the edge's number p

  /// Graph g of the batch has the nodes graph_begin[g] .. graph_begin[g + 1] - 1; 0 graphs where nodes of one do not
  /// stand together.
  const GraphIndex* graph_begin = nullptr;  ///< [graphs + 1]
  Index graphs = 0;
};

/// Which edges (source s, target u) a causal layer keeps, beside those between two graphs of a batch, which it drops.
enum class EdgeFilter {
  all,      ///< any
  causal,   ///< s <= u: CausalGINLayer, CausalGCNLayer, CausalPNALayer
  earlier,  ///< s < u: CausalGNNRecombinationLayer
};

/// Which way a message runs along the entry E[i, j] of an adjacency (row i = query, column j = key).
enum class EdgeDirection {
  reference,     ///< from i to j: what the reference executes (quirk L1)
  key_to_query,  ///< from j to i: what attention does
};

}  // namespace weft
