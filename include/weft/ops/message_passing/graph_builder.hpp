// SPDX-License-Identifier: Apache-2.0
/// \file
/// From lists of edges to sorted graphs.
#pragma once

#include <algorithm>
#include <limits>

#include "weft/autograd/operand.hpp"
#include "weft/ops/message_passing/graph.hpp"

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

/// Fills the order of targets by a counting sort. for_each_edge(visit) calls visit(source, target, weight) for every edge, those
/// of a target in their order; it is called twice.
template <class Device, class ForEachEdge>
void sort_by_target(BasicWorkspace<Device>& memory, Graph& graph, ForEachEdge&& for_each_edge) {
  auto* begin = memory.template allocate<GraphIndex>(graph.nodes + 1);
  std::fill(begin, begin + graph.nodes + 1, GraphIndex{0});
  for_each_edge([&](Index, Index u, Index) { ++begin[u + 1]; });
  graph.edges = sum_counts(begin, graph.nodes);
  auto* source = memory.template allocate<GraphIndex>(graph.edges);
  auto* weight = memory.template allocate<GraphIndex>(graph.edges);
  for_each_edge([&](Index s, Index u, Index at) {
    const GraphIndex p = begin[u]++;
    source[p] = static_cast<GraphIndex>(s);
    weight[p] = static_cast<GraphIndex>(at);
  });
  rewind_positions(begin, graph.nodes);
  graph.target_begin = begin;
  graph.source = source;
  graph.weight = weight;
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
  Graph graph;
  graph.nodes = graph.senders = list.nodes;
  graph.weights = list.edges;
  detail::sort_by_target(memory, graph, [&](auto&& visit) {
    for (Index e = 0; e < list.edges; ++e) {
      if (kept(e)) visit(static_cast<Index>(list.source[e]), static_cast<Index>(list.target[e]), e);
    }
  });
  detail::find_graphs(memory, list.graph_of, graph);
  if constexpr (Context::records) detail::sort_by_source(memory, graph);
  return graph;
}

}  // namespace weft
