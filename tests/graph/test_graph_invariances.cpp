// SPDX-License-Identifier: Apache-2.0
// What must not matter to a network on a graph: the order in which edges are told, what other graphs are in the batch,
// whether an adjacency is dense, and how many edges end at one node.
#include <numeric>
#include <vector>

#include "weft/graph/causal_graph_neural_network.hpp"

#include "ops/graph_problem.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Network = CausalGraphNeuralNetwork<Dyn, Dyn, double>;

constexpr GraphType kTypes[] = {GraphType::causal_gin, GraphType::causal_gcn, GraphType::causal_recombination,
                                GraphType::causal_pna};

Network network_of(GraphType type, GraphNormKind norm = GraphNormKind::graph) {
  CausalGraphNeuralNetworkOptions options{.type = type, .activation = GraphActivation::tanh, .num_layers = 2};
  options.gin = {.norm = norm, .norm_per_graph = true, .edge_weight_scaling = true};
  options.pna.form = PNAForm::corrected;
  options.pna.towers = 2;
  options.transformer_hidden_dim = 3;
  options.hidden_dim = 4;
  Network network(options);
  randomize_parameters(network, 3, 0.7);
  return network;
}

/// Edges with their weights, as vectors.
struct Edges {
  std::vector<std::int64_t> source;
  std::vector<std::int64_t> target;
  std::vector<double> weight;

  void add(std::int64_t from, std::int64_t to, double w) {
    source.push_back(from);
    target.push_back(to);
    weight.push_back(w);
  }
};

/// \param x  [nodes, 3]
std::vector<double> run(const Network& network, const Edges& edges, const std::vector<std::int64_t>& graph_of,
                        const std::vector<double>& x) {
  Inference context;
  const auto nodes = static_cast<Index>(graph_of.size());
  const auto count = static_cast<Index>(edges.source.size());
  const EdgeList<std::int64_t> list{edges.source.data(), edges.target.data(), count, nodes, graph_of.data()};
  const TensorView<const double, Shape<Dyn, Dyn>> features(x.data(), Shape<Dyn, Dyn>(nodes, 3));
  const TensorView<const double, Shape<Dyn>> weights(edges.weight.data(), Shape<Dyn>(count));
  return to_vector(network(context, features, make_graph(context, list, network.filter()), weights));
}

Edges random_edges(Index nodes, Index count, std::uint64_t seed) {
  const Rng rng(seed);
  Edges edges;
  for (std::uint64_t e = 0; e < static_cast<std::uint64_t>(count); ++e) {
    const auto limit = static_cast<std::uint32_t>(nodes);
    edges.add(rng.below(3 * e, limit), rng.below(3 * e + 1, limit), rng.uniform(3 * e + 2));
  }
  return edges;
}

std::vector<double> random_features(Index nodes, std::uint64_t seed) {
  return to_vector(random_tensor<double>(Shape<Dyn, Dyn>(nodes, 3), seed));
}

void check_close(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(a[i] == Approx(b[i]).epsilon(1e-12).margin(1e-12));
}

}  // namespace

TEST_CASE("The order in which edges are told does not change a graph network's result") {
  const Edges edges = random_edges(9, 40, 1);
  Edges reversed;
  for (std::size_t e = edges.source.size(); e-- > 0;) reversed.add(edges.source[e], edges.target[e], edges.weight[e]);
  const std::vector<std::int64_t> one_graph(9, 0);
  const auto x = random_features(9, 2);
  for (const GraphType type : kTypes) {
    const Network network = network_of(type);
    check_close(run(network, edges, one_graph, x), run(network, reversed, one_graph, x));
  }
}

TEST_CASE("A graph gets the same result alone and inside a batch") {
  const Edges first = random_edges(5, 20, 1);
  const Edges second = random_edges(7, 30, 2);
  Edges both = first;
  for (std::size_t e = 0; e < second.source.size(); ++e) {
    both.add(second.source[e] + 5, second.target[e] + 5, second.weight[e]);
  }
  std::vector<std::int64_t> graph_of(5, 0);
  graph_of.resize(12, 1);
  const auto x = random_features(12, 3);
  const std::vector<double> x_second(x.begin() + 15, x.end());
  for (const GraphType type : kTypes) {
    const Network network = network_of(type);
    const auto together = run(network, both, graph_of, x);
    const auto alone = run(network, second, std::vector<std::int64_t>(7, 0), x_second);
    check_close(std::vector<double>(together.end() - static_cast<std::ptrdiff_t>(alone.size()), together.end()), alone);
  }
}

TEST_CASE("Several edges between two nodes that only add up are one edge with the sum of their weights") {
  Edges once = random_edges(6, 12, 1);
  Edges halves;
  for (std::size_t e = 0; e < once.source.size(); ++e) {
    halves.add(once.source[e], once.target[e], once.weight[e] / 2);
    halves.add(once.source[e], once.target[e], once.weight[e] / 2);
  }
  const std::vector<std::int64_t> one_graph(6, 0);
  const auto x = random_features(6, 2);
  const Network network = network_of(GraphType::causal_gin);
  check_close(run(network, once, one_graph, x), run(network, halves, one_graph, x));
}

TEST_CASE("A node with ten thousand neighbours is as exact as one with two") {
  constexpr std::int64_t hub = 10000;
  Edges many;
  for (std::int64_t node = 0; node < hub; ++node) many.add(node, hub, 1);
  Edges two;
  for (std::int64_t node = 0; node < 2; ++node) two.add(node, 2, hub / 2);
  const std::vector<double> x(3 * (hub + 1), 0.25);
  const std::vector<double> x_of_two(3 * 3, 0.25);
  for (const GraphType type : kTypes) {
    const Network network = network_of(type, GraphNormKind::layer);
    const auto result = run(network, many, std::vector<std::int64_t>(hub + 1, 0), x);
    for (const double value : result) REQUIRE(std::isfinite(value));
    if (type != GraphType::causal_gin) continue;  // the others weigh neighbours by how many there are
    const auto expected = run(network, two, {0, 0, 0}, x_of_two);
    check_close({result.end() - 3, result.end()}, {expected.end() - 3, expected.end()});
  }
}
