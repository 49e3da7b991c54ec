// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random batches of graphs for tests.
#pragma once

#include <vector>

#include "weft/ops/message_passing/adjacency_graph.hpp"
#include "weft/tensor/rng.hpp"

namespace weft::testing {

/// Two graphs with repeated edges, self-loops, edges against the order of the nodes and between the graphs; the last
/// node of each is isolated.
struct GraphProblem {
  std::vector<std::int64_t> source;
  std::vector<std::int64_t> target;
  std::vector<std::int64_t> graph_of;

  GraphProblem(Index nodes, Index edges, std::uint64_t seed = 1) {
    const Rng rng(seed);
    for (Index node = 0; node < nodes; ++node) graph_of.push_back(node < nodes / 2 ? 0 : 1);
    for (Index e = 0; e < edges && nodes > 2; ++e) {
      const auto pick = [&](Index i) {
        const auto node = static_cast<Index>(rng.uniform(static_cast<std::uint64_t>(i)) * static_cast<float>(nodes));
        return std::int64_t{node == nodes / 2 - 1 || node == nodes - 1 ? 0 : node};
      };
      source.push_back(e % 5 == 4 ? source.back() : pick(2 * e));
      target.push_back(e % 5 == 4 ? target.back() : e % 7 == 0 ? source.back() : pick(2 * e + 1));
    }
  }

  EdgeList<std::int64_t> list() const {
    return {source.data(), target.data(), static_cast<Index>(source.size()), static_cast<Index>(graph_of.size()),
            graph_of.data()};
  }
};

}  // namespace weft::testing
