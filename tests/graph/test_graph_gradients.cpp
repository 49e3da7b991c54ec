// SPDX-License-Identifier: Apache-2.0
// The derivatives of every layer on graphs, alone and with its extents in its type.
#include "weft/autograd/gradcheck.hpp"
#include "weft/graph/aggregated_learnable_adjacency_transformer.hpp"
#include "weft/graph/causal_gcn_layer.hpp"
#include "weft/graph/causal_gin_layer.hpp"
#include "weft/graph/causal_gnn_recombination_layer.hpp"
#include "weft/graph/causal_pna_layer.hpp"

#include "ops/graph_problem.hpp"
#include "support/layer_checks.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

/// Gradcheck on seven nodes of three features, which the type knows or not, and sixteen edges.
template <class Layer>
void check_derivatives(Layer layer) {
  randomize_parameters(layer, 3, 0.7);
  const GraphProblem problem(7, 16);
  auto x = random_tensor<double>(Shape<7, 3>(), 1);
  auto weights = random_tensor<double>(Shape<Dyn>(16), 2);
  const auto run = [&](auto& context, auto& in, auto& w) {
    return layer(context, in, make_graph(context, problem.list(), layer.kFilter), w);
  };
  const auto result = gradcheck(run, std::tie(x, weights), layer);
  INFO(result.message);
  CHECK(result.passed);
}

constexpr GraphActivation kActivations[] = {GraphActivation::relu, GraphActivation::tanh, GraphActivation::gelu,
                                            GraphActivation::prelu};

}  // namespace

TEST_CASE("CausalGINLayer's derivatives agree with finite differences for every norm and activation") {
  for (const auto norm : {GraphNormKind::none, GraphNormKind::layer, GraphNormKind::graph, GraphNormKind::instance}) {
    for (const auto activation : kActivations) {
      CAPTURE(int(norm), int(activation));
      check_derivatives(CausalGINLayer<3, 2, 6, double>(
          {.hidden_multiplier = 2, .norm = norm, .edge_weight_scaling = true, .activation = activation}));
    }
  }
  check_derivatives(CausalGINLayer<3, 2, 6, double>({.use_mlp = false, .edge_weight_scaling = true}));
  check_derivatives(
      CausalGINLayer<Dyn, Dyn, Dyn, double>({.norm_per_graph = true, .in_channels = 3, .out_channels = 3}));
}

TEST_CASE("Derivatives of the other layers on graphs agree with finite differences, static and dynamic") {
  for (const auto activation : kActivations) {
    CAPTURE(int(activation));
    check_derivatives(CausalGCNLayer<3, 2, double>({.activation = activation}));
    check_derivatives(CausalGNNRecombinationLayer<3, double>({.activation = activation}));
  }
  check_derivatives(CausalGCNLayer<Dyn, Dyn, double>({.bias = false, .in_channels = 3, .out_channels = 4}));
  check_derivatives(CausalGNNRecombinationLayer<Dyn, double>({.hidden_dim = 3}));
  CausalPNAOptions pna{.form = PNAForm::corrected, .edge_dim = 1, .towers = 2, .act = GraphActivation::tanh};
  check_derivatives(CausalPNALayer<3, 4, double>(pna));
  pna.form = PNAForm::reference;
  pna.towers = 1;
  pna.rules = {PNAList<PNAAggregator>(PNAAggregator::mean), PNAList<PNAScaler>(PNAScaler::amplification)};
  check_derivatives(CausalPNALayer<3, 3, double>(pna));
}

TEST_CASE("The learnable adjacency's derivatives agree with finite differences, static and dynamic") {
  auto maps = random_tensor<double>(Shape<2, 3, 4, 4>(), 1);
  auto dynamic = random_tensor<double>(Shape<Dyn, Dyn, Dyn, Dyn>(2, 3, 4, 4), 1);
  const auto check = [&](auto layer) {
    randomize_parameters(layer, 3, 0.7);
    const auto run = [&](auto& context, auto& a) { return layer(context, a); };
    return gradcheck(run, std::tie(maps), layer).passed && gradcheck(run, std::tie(dynamic), layer).passed;
  };
  for (const bool softmax : {false, true}) {
    CHECK(check(AggregatedLearnableAdjacencyTransformer<3, 5, double>(softmax)));
    CHECK(check(AggregatedLearnableAdjacencyTransformer<Dyn, Dyn, double>(softmax, 3, 5)));
  }
}

TEST_CASE("The learnable adjacency keeps every promise, for one token, one head and weights of zero too") {
  for (const bool softmax : {false, true}) {
    AggregatedLearnableAdjacencyTransformer<Dyn, Dyn> layer(softmax, 2, 17);
    randomize_parameters(layer, 3, 0.7);
    const auto run = [&](auto& context, const auto& a) { return layer(context, a); };
    auto maps = random_tensor<float>(Shape<Dyn, Dyn, Dyn, Dyn>(2, 2, 70, 70), 1);
    check_promises(run, layer, maps);
    AggregatedLearnableAdjacencyTransformer<Dyn, Dyn> narrow(softmax, 1, 1);
    const auto run_narrow = [&](auto& context, const auto& a) { return narrow(context, a); };
    Tensor<float, Shape<Dyn, Dyn, Dyn, Dyn>> nothing(Shape<Dyn, Dyn, Dyn, Dyn>(1, 1, 1, 1));
    nothing.data()[0] = 0;
    CHECK(stays_finite(run_narrow, narrow, nothing));
  }
}
