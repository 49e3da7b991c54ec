// SPDX-License-Identifier: Apache-2.0
// What messages are made of and what becomes of them: edge_features, gather_edges, pna_aggregate.
#include "weft/ops/edge_features/edge_features.hpp"
#include "weft/ops/edge_features/edge_features_naive.hpp"
#include "weft/ops/pna_aggregate/pna_aggregate.hpp"
#include "weft/ops/pna_aggregate/pna_aggregate_naive.hpp"

#include "ops/graph_problem.hpp"
#include "ops/naive_checks.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Rows = Shape<Dyn, Dyn>;

PNARules all_rules() {
  return {PNAList<PNAAggregator>(PNAAggregator::mean, PNAAggregator::sum, PNAAggregator::min, PNAAggregator::max,
                                 PNAAggregator::std),
          PNAList<PNAScaler>(PNAScaler::identity, PNAScaler::amplification, PNAScaler::attenuation)};
}

}  // namespace

TEMPLATE_TEST_CASE("The features of edges are those of their definition", "", float, double) {
  using T = TestType;
  for (const Index nodes : {0, 1, 2, 11, 40}) {
    const GraphProblem problem(nodes, 3 * nodes);
    const auto list = problem.list();
    for (const auto& size :
         {EdgeFeaturesSize{7, 2, 3, 2}, EdgeFeaturesSize{17, 0, 17, 0}, EdgeFeaturesSize{3, 1, 0, 5}}) {
      const auto x = random_tensor<T>(Rows(nodes, size.columns), 1);
      const auto attributes = random_tensor<T>(Rows(list.edges, size.attributes), 2);
      for (const auto filter : {EdgeFilter::all, EdgeFilter::causal, EdgeFilter::earlier}) {
        Inference inference;
        const auto graph = make_graph(inference, list, filter);
        std::vector<T> expected(static_cast<std::size_t>(graph.edges * (2 * size.width + size.attributes)));
        kernels::edge_features_naive(list, filter, size, x.data(), attributes.data(), expected.data());
        const auto own = gather_edges(inference, graph, attributes, size.attributes);
        const auto y = edge_features(inference, graph, x, own, size.first, size.width);
        CHECK(std::equal(expected.begin(), expected.end(), y.data(), y.data() + y.size()));
      }
    }
  }
}

TEMPLATE_TEST_CASE("The statistics of messages agree with the naive form", "", float, double) {
  using T = TestType;
  const auto rules = all_rules();
  for (const Index nodes : {0, 1, 2, 11, 40}) {
    const GraphProblem problem(nodes, 4 * nodes);
    Inference inference;
    const auto graph = make_graph(inference, problem.list(), EdgeFilter::causal);
    for (const Index features : {0, 1, 3, 17}) {
      const auto messages = random_tensor<T>(Rows(graph.edges, features), 1);
      const auto values = wide(messages);
      std::vector<Wide<T>> expected(static_cast<std::size_t>(nodes * rules.blocks() * features));
      kernels::pna_aggregate_naive(graph, features, rules, values.data(), expected.data());
      CHECK(error_in_epsilons(pna_aggregate(inference, graph, messages, rules), expected, 1 + norm_of(values)) < 8);
    }
  }
}

TEST_CASE("Derivatives of messages and their statistics agree with finite differences, static and dynamic") {
  const GraphProblem problem(9, 30);
  const auto list = problem.list();
  const auto statistics = [&](auto& context, auto& x, auto& attributes) {
    const auto graph = make_graph(context, list, EdgeFilter::causal);
    return pna_aggregate(context, graph,
                         edge_features(context, graph, x, gather_edges(context, graph, attributes, 9), 1, 3),
                         all_rules());
  };
  auto x = random_tensor<double>(Shape<9, 5>(), 1);
  auto attributes = random_tensor<double>(Shape<30, 9>(), 4);
  CHECK(gradcheck(statistics, std::tie(x, attributes)).message == "gradcheck: 315 derivatives agree");
  auto x_dynamic = random_tensor<double>(Rows(9, 5), 1);
  auto attributes_dynamic = random_tensor<double>(Rows(30, 9), 4);
  CHECK(gradcheck(statistics, std::tie(x_dynamic, attributes_dynamic)).passed);
}

TEST_CASE("Messages and their statistics have the same bits for any number of threads, and need no heap") {
  const GraphProblem problem(300, 2000);
  auto x = random_tensor<float>(Rows(300, 13), 1);
  auto attributes = random_tensor<float>(Rows(2000, 3), 2);
  const auto statistics = [&](auto& context, const auto& a, const auto& b) {
    const auto graph = make_graph(context, problem.list(), EdgeFilter::causal);
    const auto ends = edge_features(context, graph, a, gather_edges(context, graph, b, 3), 2, 7);
    return pna_aggregate(context, graph, ends,
                         {PNAList<PNAAggregator>(PNAAggregator::mean, PNAAggregator::std, PNAAggregator::max),
                          PNAList<PNAScaler>(PNAScaler::attenuation)});
  };
  check_operation(statistics, x, attributes);
}

TEST_CASE("Messages name what does not fit") {
  Inference inference;
  const GraphProblem problem(6, 4);
  const auto graph = make_graph(inference, problem.list());
  const auto tensor = [](Index rows, Index columns) { return Tensor<float, Rows>(Rows(rows, columns)); };
  CHECK_THROWS_WITH(gather_edges(inference, graph, tensor(3, 2), 2),
                    "gather_edges(graph, values): there must be 2 values for each of the 4 edges, found shape [3, 2]");
  CHECK_THROWS_WITH(edge_features(inference, graph, tensor(5, 2), tensor(4, 1), 0, 2),
                    "edge_features(graph, x, attributes): x must have one row for each of the 6 nodes, found shape "
                    "[5, 2]");
  CHECK_THROWS_WITH(edge_features(inference, graph, tensor(6, 2), tensor(4, 1), 1, 2),
                    "edge_features(graph, x, attributes): columns [1, 3) are outside of [0, 2)");
  CHECK_THROWS_WITH(edge_features(inference, graph, tensor(6, 2), tensor(3, 1), 0, 2),
                    "edge_features(graph, x, attributes): attributes must have one row for each of the 2 kept edges, "
                    "found shape [3, 1]");
  CHECK_THROWS_WITH(pna_aggregate(inference, graph, tensor(3, 2), PNARules{}),
                    "pna_aggregate(graph, messages): there must be one message for each of the 2 edges, found shape "
                    "[3, 2]");
}
