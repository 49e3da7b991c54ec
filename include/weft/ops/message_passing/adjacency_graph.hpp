// SPDX-License-Identifier: Apache-2.0
/// \file
/// From adjacency matrices to sorted graphs.
#pragma once

#include <algorithm>

#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/message_passing/graph_builder.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft {

/// How the edges of an adjacency are chosen.
struct AdjacencyEdges {
  EdgeFilter filter = EdgeFilter::causal;
  EdgeDirection direction = EdgeDirection::reference;
  bool lower_triangular = false;  ///< promises zeros above the diagonal; the reference direction then reads only that
  Index capacity = 0;             ///< decoding, key to query: rows of a text among those that send; 0: its tokens alone
};

namespace detail {

/// Calls visit(source, target) for the entries of one matrix [tokens, past + tokens] that may become messages to the targets
/// [first, last), sources of a target in ascending order. Only key to query there is a past.
template <class Visit>
void for_each_candidate(Index tokens, Index past, EdgeFilter filter, EdgeDirection direction, bool diagonal_only,
                        Index first, Index last, Visit&& visit) {
  const Index gap = filter == EdgeFilter::earlier ? 1 : 0;
  if (diagonal_only) {
    for (Index u = first; u < last && gap == 0; ++u) visit(u, u);
  } else if (direction == EdgeDirection::key_to_query) {
    for (Index u = first; u < last; ++u) {
      const Index end = past + (filter == EdgeFilter::all ? tokens : u + 1 - gap);
      for (Index s = 0; s < end; ++s) visit(s, u);
    }
  } else {
    // Along the rows of the matrix, which are the sources here.
    for (Index s = 0; s < (filter == EdgeFilter::all ? tokens : last); ++s) {
      for (Index u = filter == EdgeFilter::all ? first : std::max(first, s + gap); u < last; ++u) visit(s, u);
    }
  }
}

template <class Adjacency>
void expect_edges_readable(const Adjacency& adjacency, Index map, const AdjacencyEdges& edges, bool diagonal_only) {
  const Index tokens = adjacency.extent(2);
  const Index columns = adjacency.extent(3);
  expect_graph_fits("make_graph(adjacency): the number of entries", adjacency.size());
  expect_graph_fits("make_graph(adjacency): the number of nodes that send",
                    adjacency.extent(0) * std::max(tokens, edges.capacity));
  if (map < 0 || map >= adjacency.extent(1)) {
    fail(concat("make_graph(adjacency, map): map must be in [0, ", adjacency.extent(1), "), found ", map));
  }
  if (edges.capacity > 0) {
    if (edges.direction == EdgeDirection::key_to_query && tokens <= columns && columns <= edges.capacity) return;
    fail(concat("make_graph(adjacency): with a capacity, ", edges.capacity,
                ", adjacency must be [batch, maps, tokens, keys], tokens <= keys <= capacity, and read from key to "
                "query; found ",
                adjacency.shape().text()));
  }
  if (columns == tokens || (columns == 1 && diagonal_only)) return;
  fail(
      concat("make_graph(adjacency): adjacency must be [batch, maps, tokens, tokens], or its diagonal [batch, maps, "
             "tokens, 1] where the reference's direction reads nothing else of a lower triangular one, found ",
             adjacency.shape().text()));
}

/// The entries of one map of an adjacency, as the edges of a graph on all texts.
template <class Adjacency>
class AdjacencyReader {
 public:
  AdjacencyReader(const Adjacency& adjacency, Index map, const AdjacencyEdges& edges)
      : values_(adjacency.data()),
        edges_(edges),
        diagonal_only_(edges.lower_triangular && edges.direction == EdgeDirection::reference &&
                       edges.filter != EdgeFilter::all),
        batch_(adjacency.extent(0)),
        maps_(adjacency.extent(1)),
        map_(map),
        tokens_(adjacency.extent(2)),
        columns_(adjacency.extent(3)) {
    expect_edges_readable(adjacency, map, edges, diagonal_only_);
  }

  Index batch() const { return batch_; }
  Index tokens() const { return tokens_; }
  Index nodes() const { return batch_ * tokens_; }
  Index senders() const { return batch_ * senders_of_a_text(); }

  /// Calls visit(sender, node, place in the adjacency) for every edge, those of a node by one thread, its senders rising.
  template <class Visit>
  void for_each_edge(Visit&& visit) const {
    constexpr Index block = 64;  // nodes that are one thread's
    const Index blocks = (tokens_ + block - 1) / block;
    const Index cost = block * (diagonal_only_ ? 1 : columns_);
    parallel_for(batch_ * blocks, kernels::rows_worth_a_thread(cost), [&](Index begin, Index end) {
      for (Index item = begin; item < end; ++item) {
        const Index first = item % blocks * block;
        visit_text(item / blocks, first, std::min(first + block, tokens_), visit);
      }
    });
  }

 private:
  Index senders_of_a_text() const { return edges_.capacity > 0 ? edges_.capacity : tokens_; }

  template <class Visit>
  void visit_text(Index b, Index first, Index last, Visit&& visit) const {
    const Index past = edges_.capacity > 0 ? columns_ - tokens_ : 0;
    for_each_candidate(tokens_, past, edges_.filter, edges_.direction, diagonal_only_, first, last,
                       [&](Index s, Index u) {
                         const Index at = position(b, s, u);
                         if (values_[at] != 0) visit(b * senders_of_a_text() + s, b * tokens_ + u, at);
                       });
  }

  /// Where the entry of an edge lies: in the row of its source in the reference's direction.
  Index position(Index b, Index s, Index u) const {
    const bool from_row = edges_.direction == EdgeDirection::reference;
    const Index row = (b * maps_ + map_) * tokens_ + (from_row ? s : u);
    return columns_ == 1 ? row : row * columns_ + (from_row ? u : s);
  }

  const ElementOf<Adjacency>* values_;
  AdjacencyEdges edges_;
  bool diagonal_only_;
  Index batch_;
  Index maps_;
  Index map_;
  Index tokens_;
  Index columns_;
};

}  // namespace detail

/// The graph of the nonzero entries (NaN among them) of E[b, map, i, j], for every b. Node b * tokens + t is token t of
/// text b. Its edge weights are the adjacency itself, so that a gradient flows into the entries without a copy of them.
///
/// In decoding E has the last rows alone, those of the new tokens. They are the nodes, and every token so far may send:
/// token s of text b is sender b * capacity + s.
///
/// \param adjacency  [batch, maps, tokens, tokens]; or the diagonal alone, [batch, maps, tokens, 1], where nothing else is
///                   read; or, with a capacity, [batch, maps, tokens, keys]
template <class Context, class Adjacency>
Graph make_graph(Context& context, const Adjacency& adjacency, Index map, const AdjacencyEdges& edges) {
  static_assert(ShapeOf<Adjacency>::rank == 4,
                "make_graph(adjacency): adjacency must be [batch, maps, tokens, tokens]");
  const detail::AdjacencyReader<Adjacency> reader(adjacency, map, edges);
  if (Context::records && edges.capacity > 0) {
    fail("make_graph(tape, adjacency): a capacity is for decoding, on no tape");
  }
  auto& memory = context.workspace();
  Graph graph;
  graph.nodes = reader.nodes();
  graph.senders = reader.senders();
  graph.weights = adjacency.size();
  detail::sort_by_target(memory, graph, [&](auto&& visit) { reader.for_each_edge(visit); });
  auto* graph_begin = memory.template allocate<GraphIndex>(reader.batch() + 1);
  for (Index b = 0; b <= reader.batch(); ++b) graph_begin[b] = static_cast<GraphIndex>(b * reader.tokens());
  graph.graph_begin = graph_begin;
  graph.graphs = reader.batch();
  if constexpr (Context::records) detail::sort_by_source(memory, graph);
  return graph;
}

}  // namespace weft
