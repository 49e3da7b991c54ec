// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/edge_softmax/edge_softmax.hpp"
#include "weft/ops/edge_softmax/edge_softmax_naive.hpp"
#include "weft/ops/message_passing/aggregate_edges.hpp"
#include "weft/ops/message_passing/message_passing_naive.hpp"

#include "ops/graph_problem.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("A graph keeps the order of its list inside each target, and its transpose is the same edges") {
  const GraphProblem problem(11, 60);
  Tape tape;
  const auto graph = make_graph(tape, problem.list(), EdgeFilter::causal);
  Index kept = 0;
  for (Index u = 0; u < graph.nodes; ++u) {
    for (GraphIndex p = graph.target_begin[u]; p < graph.target_begin[u + 1]; ++p, ++kept) {
      const auto e = static_cast<std::size_t>(graph.weight[p]);
      CHECK((problem.source[e] == graph.source[p] && problem.target[e] == u && graph.source[p] <= u));
      if (p > graph.target_begin[u]) CHECK(graph.weight[p] > graph.weight[p - 1]);
    }
    for (GraphIndex q = graph.source_begin[u]; q < graph.source_begin[u + 1]; ++q) {
      CHECK(graph.source[graph.place[q]] == u);
      CHECK((graph.target_begin[graph.target[q]] <= graph.place[q] &&
             graph.place[q] < graph.target_begin[graph.target[q] + 1]));
    }
  }
  Index expected = 0;
  for (Index e = 0; e < 60; ++e) expected += kernels::keeps_edge_naive(problem.list(), EdgeFilter::causal, e) ? 1 : 0;
  CHECK(kept == expected);
  CHECK((graph.edges == expected && graph.graphs == 2 && graph.graph_begin[1] == 5));
}

TEST_CASE("A graph refuses nodes that are not there") {
  Inference inference;
  const std::int64_t source[] = {0, 3};
  const std::int64_t target[] = {1, 1};
  CHECK_THROWS_WITH(make_graph(inference, EdgeList<std::int64_t>{source, target, 2, 3}),
                    "make_graph(edges): edge 1 must join nodes in [0, 3), found 3 -> 1");
}

TEST_CASE("The graph of an adjacency has its nonzero entries, in both directions") {
  const Index tokens = 70;
  auto adjacency = random_tensor<float>(Shape<Dyn, Dyn, Dyn, Dyn>(2, 2, tokens, tokens), 1);
  for (Index i = 0; i < adjacency.size(); i += 3) adjacency.data()[i] = 0;
  Tape tape;
  for (const auto direction : {EdgeDirection::reference, EdgeDirection::key_to_query}) {
    for (const auto filter : {EdgeFilter::all, EdgeFilter::causal, EdgeFilter::earlier}) {
      // The list that the definition makes, rows first.
      std::vector<std::int64_t> source, target, at;
      for (Index b = 0; b < 2; ++b) {
        for (Index i = 0; i < tokens; ++i) {
          for (Index j = 0; j < tokens; ++j) {
            if (adjacency(b, 1, i, j) == 0) continue;
            source.push_back(b * tokens + (direction == EdgeDirection::reference ? i : j));
            target.push_back(b * tokens + (direction == EdgeDirection::reference ? j : i));
            at.push_back(((b * 2 + 1) * tokens + i) * tokens + j);
          }
        }
      }
      const auto expected = make_graph(
          tape, EdgeList<std::int64_t>{source.data(), target.data(), static_cast<Index>(at.size()), 2 * tokens},
          filter);
      const auto graph = make_graph(tape, adjacency, 1, {filter, direction, false});
      REQUIRE(graph.edges == expected.edges);
      CHECK(std::equal(graph.source, graph.source + graph.edges, expected.source));
      CHECK(std::equal(graph.target_begin, graph.target_begin + graph.nodes + 1, expected.target_begin));
      CHECK(std::equal(graph.place, graph.place + graph.edges, expected.place));
      for (Index p = 0; p < graph.edges; ++p)
        CHECK(graph.weight[p] == at[static_cast<std::size_t>(expected.weight[p])]);
    }
  }
}

TEST_CASE("Only the diagonal of a lower triangle is read in the reference's direction") {
  Tensor<float, Shape<1, 1, 3, 3>> adjacency;
  adjacency(0, 0, 0, 0) = adjacency(0, 0, 2, 2) = adjacency(0, 0, 2, 0) = 1;
  Inference inference;
  const auto fast = make_graph(inference, adjacency, 0, {EdgeFilter::causal, EdgeDirection::reference, true});
  const auto slow = make_graph(inference, adjacency, 0, {EdgeFilter::causal, EdgeDirection::reference, false});
  CHECK((fast.edges == 2 && slow.edges == 2 && fast.source[1] == 2 && slow.source[1] == 2));
  CHECK(make_graph(inference, adjacency, 0, {EdgeFilter::earlier, EdgeDirection::reference, true}).edges == 0);
  CHECK(make_graph(inference, adjacency, 0, {EdgeFilter::causal, EdgeDirection::key_to_query, true}).edges == 3);
}

TEMPLATE_TEST_CASE("Sums and softmaxes over edges agree with the naive forms", "", float, double) {
  using T = TestType;
  for (const Index features : {1, 3, 8, 17, 67}) {
    for (const Index nodes : {1, 2, 11, 40}) {
      const GraphProblem problem(nodes, 3 * nodes);
      const auto list = problem.list();
      const auto x = random_tensor<T>(Shape<Dyn, Dyn>(nodes, features), 1);
      const auto scores = random_tensor<T>(Shape<Dyn, Dyn>(nodes, 2), 2);
      const auto weights = random_tensor<T>(Shape<Dyn>(list.edges), 3);
      Tensor<T, Shape<1>> epsilon;
      epsilon(0) = T(0.5);
      std::vector<T> expected(static_cast<std::size_t>(x.size()));
      Inference inference;
      for (const auto filter : {EdgeFilter::all, EdgeFilter::causal, EdgeFilter::earlier}) {
        const auto graph = make_graph(inference, list, filter);
        const double allowed = 64 * static_cast<double>(std::numeric_limits<T>::epsilon());
        kernels::aggregate_edges_naive(list, filter, features, x.data(), weights.data(), T(1.5), expected.data());
        CHECK(largest_difference(to_vector(aggregate_edges(inference, graph, x, weights, epsilon, 1)), expected) <
              allowed);
        kernels::aggregate_edges_naive(list, filter, features, x.data(), static_cast<const T*>(nullptr), T(0),
                                       expected.data());
        CHECK(largest_difference(to_vector(aggregate_edges(inference, graph, x)), expected) < allowed);
        kernels::edge_softmax_naive(list, filter, features, x.data(), scores.data(), weights.data(), expected.data());
        CHECK(largest_difference(to_vector(edge_softmax(inference, graph, x, scores, weights)), expected) < allowed);
      }
    }
  }
}

TEST_CASE("Derivatives of message passing agree with finite differences") {
  const GraphProblem problem(9, 30);
  const auto list = problem.list();
  auto x = random_tensor<double>(Shape<Dyn, 5>(9), 1);
  auto scores = random_tensor<double>(Shape<9, 2>(), 2);
  auto weights = random_tensor<double>(Shape<Dyn>(30), 3);
  Tensor<double, Shape<1>> epsilon;
  epsilon(0) = 0.3;
  const auto sums = [&](auto& context, auto& a, auto& w, auto& e) {
    return aggregate_edges(context, make_graph(context, list, EdgeFilter::causal), a, w, e, 1);
  };
  CHECK(gradcheck(sums, std::tie(x, weights, epsilon)).message == "gradcheck: 76 derivatives agree");
  const auto softmaxes = [&](auto& context, auto& a, auto& s, auto& w) {
    return edge_softmax(context, make_graph(context, list, EdgeFilter::all), a, s, w);
  };
  CHECK(gradcheck(softmaxes, std::tie(x, scores, weights)).message == "gradcheck: 93 derivatives agree");
  auto fixed_x = random_tensor<double>(Shape<9, 17>(), 1);
  auto fixed_weights = random_tensor<double>(Shape<30>(), 3);
  auto dynamic_scores = random_tensor<double>(Shape<Dyn, Dyn>(9, 2), 2);
  CHECK(gradcheck(sums, std::tie(fixed_x, fixed_weights, epsilon)).passed);
  CHECK(gradcheck(softmaxes, std::tie(fixed_x, dynamic_scores, fixed_weights)).passed);
}

TEST_CASE("Message passing has the same bits for any number of threads") {
  const GraphProblem problem(600, 6000);
  auto x = random_tensor<float>(Shape<Dyn, Dyn>(600, 33), 1);
  auto scores = random_tensor<float>(Shape<Dyn, Dyn>(600, 2), 2);
  auto weights = random_tensor<float>(Shape<Dyn>(6000), 3);
  const auto seed = random_tensor<float>(Shape<Dyn, Dyn>(600, 33), 4);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    const auto graph = make_graph(tape, problem.list(), EdgeFilter::causal);
    const auto a = tape.watch(x);
    const auto w = tape.watch(weights);
    const auto s = tape.watch(scores);
    const auto y = edge_softmax(tape, graph, aggregate_edges(tape, graph, a, w), s, w);
    tape.backward(y, TensorView<const float, Shape<Dyn, Dyn>>(seed.data(), seed.shape()));
    auto bits = to_vector(y);
    for (const auto& part : {to_vector(tape.gradient(a)), to_vector(tape.gradient(w)), to_vector(tape.gradient(s))}) {
      bits.insert(bits.end(), part.begin(), part.end());
    }
    return bits;
  }));
}

TEST_CASE("Message passing names what does not fit") {
  Inference inference;
  const GraphProblem problem(6, 4);
  const auto graph = make_graph(inference, problem.list());
  const Tensor<float, Shape<Dyn, Dyn>> x(Shape<Dyn, Dyn>(5, 2));
  CHECK_THROWS_WITH(aggregate_edges(inference, graph, x),
                    "aggregate_edges(graph, x): x must have one row for each of the 6 nodes, found shape [5, 2]");
  const Tensor<float, Shape<Dyn, Dyn>> nodes(Shape<Dyn, Dyn>(6, 2));
  const Tensor<float, Shape<Dyn>> weights(Shape<Dyn>(3));
  CHECK_THROWS_WITH(
      aggregate_edges(inference, graph, nodes, weights),
      "aggregate_edges(graph, x, weights): there must be one weight for each of the 4 edges, found shape [3]");
  CHECK_THROWS_WITH(edge_softmax(inference, graph, nodes, x),
                    "edge_softmax(graph, x, scores): scores must be [6, 2], found [5, 2]");
  CHECK_THROWS_WITH(edge_softmax(inference, graph, x, nodes),
                    "edge_softmax(graph, x, scores): x must have one row for each of the 6 nodes, found shape [5, 2]");
  CHECK_THROWS_WITH(
      edge_softmax(inference, graph, nodes, nodes, weights),
      "edge_softmax(graph, x, scores, weights): there must be one weight for each of the 4 edges, found shape [3]");
  const Tensor<float, Shape<1, 2, 3, 3>> maps;
  CHECK_THROWS_WITH(make_graph(inference, maps, 2, {}), "make_graph(adjacency, map): map must be in [0, 2), found 2");
}
