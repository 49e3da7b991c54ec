// SPDX-License-Identifier: Apache-2.0
/// \file
/// From lists of edges and from adjacency matrices to sorted graphs.
#pragma once

#include <algorithm>
#include <limits>

#include "weft/autograd/operand.hpp"
#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/message_passing/graph.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft {

/// A batch of graphs as PyTorch Geometric has it. `Integer` is any integer type.
template <class Integer>
struct EdgeList {
  const Integer* source = nullptr;  ///< [edges], row 0 of an `edge_index`
  const Integer* target = nullptr;  ///< [edges], row 1
  Index edges = 0;
  Index nodes = 0;
  const Integer* graph_of = nullptr;  ///< [nodes], the graph of each node, or null: one graph
};

namespace detail {

inline void expect_graph_fits(std::string_view what, Index count) {
  if (count < 0 || count > std::numeric_limits<GraphIndex>::max()) {
    fail(concat(what, " must be in [0, ", std::numeric_limits<GraphIndex>::max(), "], found ", count));
  }
}

template <class Integer>
void expect_edges_inside(const EdgeList<Integer>& list) {
  const auto inside = [&](Integer node) { return node >= 0 && static_cast<Index>(node) < list.nodes; };
  for (Index e = 0; e < list.edges; ++e) {
    if (inside(list.source[e]) && inside(list.target[e])) continue;
    fail(concat("make_graph(edges): edge ", e, " must join nodes in [0, ", list.nodes, "), found ",
                static_cast<Index>(list.source[e]), " -> ", static_cast<Index>(list.target[e])));
  }
}

/// Turns counts in begin[1 .. n] into positions; the number of all.
inline Index sum_counts(GraphIndex* begin, Index n) {
  begin[0] = 0;
  for (Index i = 0; i < n; ++i) begin[i + 1] += begin[i];
  return begin[n];
}

/// Moves begin[i + 1] back to begin[i] after a filling pass has advanced each begin[i] to its end.
inline void rewind_positions(GraphIndex* begin, Index n) {
  for (Index i = n; i > 0; --i) begin[i] = begin[i - 1];
  begin[0] = 0;
}

/// Fills the order of sources by a stable counting sort.
template <class Device>
void sort_by_source(BasicWorkspace<Device>& memory, Graph& graph) {
  auto* begin = memory.template allocate<GraphIndex>(graph.nodes + 1);
  auto* target = memory.template allocate<GraphIndex>(graph.edges);
  auto* place = memory.template allocate<GraphIndex>(graph.edges);
  std::fill(begin, begin + graph.nodes + 1, GraphIndex{0});
  for (Index p = 0; p < graph.edges; ++p) ++begin[graph.source[p] + 1];
  sum_counts(begin, graph.nodes);
  for (Index u = 0; u < graph.nodes; ++u) {
    for (GraphIndex p = graph.target_begin[u]; p < graph.target_begin[u + 1]; ++p) {
      const GraphIndex q = begin[graph.source[p]]++;
      target[q] = static_cast<GraphIndex>(u);
      place[q] = p;
    }
  }
  rewind_positions(begin, graph.nodes);
  graph.source_begin = begin;
  graph.target = target;
  graph.place = place;
}

/// Where each graph of the batch begins, if the nodes are in the order of their graphs.
template <class Device, class Integer>
void find_graphs(BasicWorkspace<Device>& memory, const Integer* graph_of, Graph& graph) {
  Index changes = 0;
  for (Index node = 1; graph_of != nullptr && node < graph.nodes; ++node) {
    if (graph_of[node] < graph_of[node - 1]) return;
    changes += graph_of[node] != graph_of[node - 1] ? 1 : 0;
  }
  auto* begin = memory.template allocate<GraphIndex>(changes + 2);
  graph.graphs = 0;
  for (Index node = 0; node < graph.nodes; ++node) {
    const bool first = node == 0 || (graph_of != nullptr && graph_of[node] != graph_of[node - 1]);
    if (first) begin[graph.graphs++] = static_cast<GraphIndex>(node);
  }
  begin[graph.graphs] = static_cast<GraphIndex>(graph.nodes);
  graph.graph_begin = begin;
}

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

}  // namespace detail

/// Sorts a list of edges, repeated edges and self-loops included; edges that the filter or the graphs forbid are left
/// out. Raises Error for a node outside [0, nodes).
///
/// \return  valid until the context's next reset; its edge weights are an array with one value for each edge of the list
template <class Context, class Integer>
Graph make_graph(Context& context, const EdgeList<Integer>& list, EdgeFilter filter = EdgeFilter::all) {
  detail::expect_graph_fits("make_graph(edges): the number of nodes", list.nodes);
  detail::expect_graph_fits("make_graph(edges): the number of edges", list.edges);
  detail::expect_edges_inside(list);
  auto& memory = context.workspace();
  const auto kept = [&](Index e) {
    const Integer s = list.source[e];
    const Integer u = list.target[e];
    if (list.graph_of != nullptr && list.graph_of[s] != list.graph_of[u]) return false;
    return filter == EdgeFilter::all || (filter == EdgeFilter::causal ? s <= u : s < u);
  };
  auto* begin = memory.template allocate<GraphIndex>(list.nodes + 1);
  std::fill(begin, begin + list.nodes + 1, GraphIndex{0});
  for (Index e = 0; e < list.edges; ++e) begin[list.target[e] + 1] += kept(e) ? 1 : 0;
  Graph graph;
  graph.nodes = graph.senders = list.nodes;
  graph.edges = detail::sum_counts(begin, list.nodes);
  graph.weights = list.edges;
  auto* source = memory.template allocate<GraphIndex>(graph.edges);
  auto* weight = memory.template allocate<GraphIndex>(graph.edges);
  for (Index e = 0; e < list.edges; ++e) {
    if (!kept(e)) continue;
    const GraphIndex p = begin[list.target[e]]++;
    source[p] = static_cast<GraphIndex>(list.source[e]);
    weight[p] = static_cast<GraphIndex>(e);
  }
  detail::rewind_positions(begin, list.nodes);
  detail::find_graphs(memory, list.graph_of, graph);
  graph.target_begin = begin;
  graph.source = source;
  graph.weight = weight;
  if constexpr (Context::records) detail::sort_by_source(memory, graph);
  return graph;
}

/// How the edges of an adjacency are chosen.
struct AdjacencyEdges {
  EdgeFilter filter = EdgeFilter::causal;
  EdgeDirection direction = EdgeDirection::reference;
  bool lower_triangular = false;  ///< promises zeros above the diagonal; the reference direction then reads only that
  Index capacity = 0;             ///< decoding, key to query: rows of a text among those that send; 0: its tokens alone
};

namespace detail {

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
Graph make_graph(Context& context, const Adjacency& adjacency, Index map, AdjacencyEdges edges) {
  static_assert(ShapeOf<Adjacency>::rank == 4,
                "make_graph(adjacency): adjacency must be [batch, maps, tokens, tokens]");
  const Index batch = adjacency.extent(0);
  const Index maps = adjacency.extent(1);
  const Index tokens = adjacency.extent(2);
  const Index columns = adjacency.extent(3);
  const auto* values = adjacency.data();
  const bool diagonal_only =
      edges.lower_triangular && edges.direction == EdgeDirection::reference && edges.filter != EdgeFilter::all;
  detail::expect_edges_readable(adjacency, map, edges, diagonal_only);
  if (Context::records && edges.capacity > 0)
    fail("make_graph(tape, adjacency): a capacity is for decoding, on no tape");
  const Index rows_of_a_text = edges.capacity > 0 ? edges.capacity : tokens;
  const Index past = edges.capacity > 0 ? columns - tokens : 0;
  const auto position = [&](Index b, Index s, Index u) {
    const bool from_row = edges.direction == EdgeDirection::reference;
    const Index row = (b * maps + map) * tokens + (from_row ? s : u);
    return columns == 1 ? row : row * columns + (from_row ? u : s);
  };
  // Blocks of targets: each thread writes its own.
  constexpr Index block = 64;
  const Index blocks = (tokens + block - 1) / block;
  const auto for_each_edge = [&](auto&& visit) {
    parallel_for(batch * blocks, kernels::rows_worth_a_thread(block * (diagonal_only ? 1 : columns)),
                 [&](Index begin, Index end) {
                   for (Index item = begin; item < end; ++item) {
                     const Index b = item / blocks;
                     const Index first = item % blocks * block;
                     detail::for_each_candidate(tokens, past, edges.filter, edges.direction, diagonal_only, first,
                                                std::min(first + block, tokens), [&](Index s, Index u) {
                                                  const Index at = position(b, s, u);
                                                  if (values[at] != 0)
                                                    visit(b * rows_of_a_text + s, b * tokens + u, at);
                                                });
                   }
                 });
  };
  auto& memory = context.workspace();
  Graph graph;
  graph.nodes = batch * tokens;
  graph.senders = batch * rows_of_a_text;
  graph.weights = adjacency.size();
  auto* begin = memory.template allocate<GraphIndex>(graph.nodes + 1);
  std::fill(begin, begin + graph.nodes + 1, GraphIndex{0});
  for_each_edge([&](Index, Index u, Index) { ++begin[u + 1]; });
  graph.edges = detail::sum_counts(begin, graph.nodes);
  auto* source = memory.template allocate<GraphIndex>(graph.edges);
  auto* weight = memory.template allocate<GraphIndex>(graph.edges);
  for_each_edge([&](Index s, Index u, Index at) {
    const GraphIndex p = begin[u]++;
    source[p] = static_cast<GraphIndex>(s);
    weight[p] = static_cast<GraphIndex>(at);
  });
  detail::rewind_positions(begin, graph.nodes);
  auto* graph_begin = memory.template allocate<GraphIndex>(batch + 1);
  for (Index b = 0; b <= batch; ++b) graph_begin[b] = static_cast<GraphIndex>(b * tokens);
  graph.graph_begin = graph_begin;
  graph.graphs = batch;
  graph.target_begin = begin;
  graph.source = source;
  graph.weight = weight;
  if constexpr (Context::records) detail::sort_by_source(memory, graph);
  return graph;
}

}  // namespace weft
