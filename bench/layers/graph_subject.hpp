// SPDX-License-Identifier: Apache-2.0
/// \file
/// A sparse graph network on texts whose tokens have a few neighbours each.
#pragma once

#include <algorithm>
#include <vector>

#include "weft/graph/causal_graph_neural_network.hpp"
#include "weft/ops/message_passing/graph_builder.hpp"
#include "weft/tensor/rng.hpp"

#include "layers/operations.hpp"
#include "layers/subjects.hpp"

namespace bench {

/// The entries (query, key) of a lower triangular adjacency, as the edges of a batch of texts: every token with itself and
/// with `kNeighbours` - 1 random earlier ones. In the reference's direction a query sends to its keys, which come before it,
/// so that the causal filter keeps the diagonal alone.
struct GraphEdges {
  static constexpr Index kNeighbours = 16;

  GraphEdges(const Setting& s, weft::EdgeDirection direction) : nodes(s.nodes()) {
    const weft::Rng rng(4);
    for (Index node = 0; node < nodes; ++node) {
      const Index token = node % s.tokens;
      for (Index n = 0; n <= std::min(token, kNeighbours - 1); ++n) {
        const auto draw = static_cast<std::uint64_t>(node * kNeighbours + n);
        const Index key = n == 0 ? node : node - token + rng.below(draw, static_cast<std::uint32_t>(token));
        const bool from_query = direction == weft::EdgeDirection::reference;
        source.push_back(static_cast<std::int32_t>(from_query ? node : key));
        target.push_back(static_cast<std::int32_t>(from_query ? key : node));
      }
    }
  }

  weft::EdgeList<std::int32_t> list() const {
    return {source.data(), target.data(), static_cast<Index>(source.size()), nodes};
  }

  Index nodes;
  std::vector<std::int32_t> source;
  std::vector<std::int32_t> target;
};

/// The network; its graph is built at each call, as in a decoder layer.
struct GraphSubject {
  using Layer = weft::CausalGraphNeuralNetwork<Dyn, Dyn>;
  static constexpr Index kLayers = 3;
  static constexpr Index kHidden = 128;

  Layer layer;
  GraphEdges edges;

  GraphSubject(const Setting& s, weft::EdgeDirection direction) : layer(options(s)), edges(s, direction) {}

  static weft::CausalGraphNeuralNetworkOptions options(const Setting& s) {
    weft::CausalGraphNeuralNetworkOptions options;
    options.num_layers = kLayers;
    options.hidden_dim = kHidden;
    options.transformer_hidden_dim = s.hidden;
    return options;
  }

  /// The matrix products; the sums over neighbours are none.
  static Operations operations(const Setting& s) {
    return {static_cast<double>(2 * kHidden * s.hidden + kLayers * 2 * kHidden * kHidden)};
  }

  template <class Context, class X>
  auto operator()(Context& context, const X& x, const Inputs& /*inputs*/) const {
    const weft::Graph graph = weft::make_graph(context, edges.list(), layer.filter());
    const weft::Shape<Dyn, Dyn> rows(x.extent(0) * x.extent(1), x.extent(2));
    if constexpr (Context::records) {
      return layer(context, x.reshape(rows), graph);
    } else {
      return layer(context, x.view().reshape(rows), graph);
    }
  }

  void initialize(weft::Rng& rng, double standard_deviation) { layer.initialize(rng, standard_deviation); }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    weft::for_each_parameter(self.layer, visit, prefix);
  }
};

}  // namespace bench
