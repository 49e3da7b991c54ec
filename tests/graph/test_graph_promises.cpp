// SPDX-License-Identifier: Apache-2.0
// What every layer on graphs promises beside its values: on graphs with repeated edges, self-loops and isolated nodes, and
// on graphs without edges or nodes.
#include "weft/graph/causal_graph_neural_network.hpp"

#include "ops/graph_problem.hpp"
#include "support/layer_checks.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Nodes = Shape<Dyn, Dyn>;

template <class Layer>
EdgeFilter filter_of(const Layer& layer) {
  if constexpr (requires { layer.filter(); }) {
    return layer.filter();
  } else {
    return Layer::kFilter;
  }
}

/// All promises of a layer from `width` features to any number; `causal` where no node sees a later one.
template <class Layer>
void check_graph_layer(Layer layer, Index width, bool causal = true) {
  randomize_parameters(layer, 3, 0.5);
  const auto on = [&layer](const GraphProblem& problem) {
    return [&layer, list = problem.list()](auto& context, const auto& x, const auto& weights) {
      return layer(context, x, make_graph(context, list, filter_of(layer)), weights);
    };
  };
  const GraphProblem many(300, 2000), few(12, 60);
  auto x = random_tensor<float>(Nodes(300, width), 1);
  auto weights = random_tensor<float>(Shape<Dyn>(2000), 2);
  check_promises(on(many), layer, x, weights);

  auto nodes = random_tensor<float>(Nodes(12, width), 1);
  const auto few_weights = random_tensor<float>(Shape<Dyn>(60), 2);
  const auto run_few = on(few);
  CHECK(looks_only_back([&](auto& context, const auto& in) { return run_few(context, in, few_weights); }, nodes) ==
        causal);
  for (const Index count : {0, 1, 2}) {
    const GraphProblem empty(count, 0);
    auto alone = random_tensor<float>(Nodes(count, width), 1);
    auto none_of_them = random_tensor<float>(Shape<Dyn>(empty.list().edges), 1);
    CHECK(stays_finite(on(empty), layer, alone, none_of_them));
  }
}

constexpr GraphActivation kActivations[] = {GraphActivation::relu, GraphActivation::tanh, GraphActivation::gelu,
                                            GraphActivation::prelu};
constexpr GraphNormKind kNorms[] = {GraphNormKind::none, GraphNormKind::layer, GraphNormKind::graph,
                                    GraphNormKind::instance};

}  // namespace

TEST_CASE("CausalGINLayer keeps every promise with every norm and activation, causality except with GraphNorm") {
  using Layer = CausalGINLayer<Dyn, Dyn>;
  for (const auto norm : kNorms) {
    for (const auto activation : kActivations) {
      CAPTURE(int(norm), int(activation));
      check_graph_layer(Layer({.hidden_multiplier = 1.5,
                               .norm = norm,
                               .norm_per_graph = activation == GraphActivation::relu,
                               .edge_weight_scaling = true,
                               .activation = activation,
                               .in_channels = 9,
                               .out_channels = activation == GraphActivation::tanh ? 9 : 5}),
                        9, norm != GraphNormKind::graph);
    }
  }
  check_graph_layer(Layer({.use_mlp = false, .in_channels = 9, .out_channels = 5}), 9);
}

TEST_CASE("CausalGCNLayer and CausalGNNRecombinationLayer keep every promise with every activation") {
  for (const auto activation : kActivations) {
    CAPTURE(int(activation));
    check_graph_layer(CausalGCNLayer<Dyn, Dyn>({.activation = activation, .in_channels = 9, .out_channels = 5}), 9);
    check_graph_layer(CausalGNNRecombinationLayer<Dyn>({.activation = activation, .hidden_dim = 9}), 9);
  }
}

TEST_CASE("CausalPNALayer keeps every promise in its corrected form") {
  for (const auto activation : kActivations) {
    CAPTURE(int(activation));
    check_graph_layer(CausalPNALayer<Dyn, Dyn>({.form = PNAForm::corrected,
                                                .edge_dim = 1,
                                                .towers = 3,
                                                .pre_layers = 2,
                                                .post_layers = 2,
                                                .divide_input = true,
                                                .act = GraphActivation::tanh,
                                                .activation = activation,
                                                .in_channels = 9,
                                                .out_channels = 6}),
                      9);
  }
}

TEST_CASE("CausalPNALayer is finite and the same for any number of threads in the reference's form") {
  for (const auto scaler : {PNAScaler::identity, PNAScaler::amplification}) {
    CausalPNAOptions options{.edge_dim = 1, .in_channels = 5, .out_channels = 5};
    options.rules = {PNAList<PNAAggregator>(PNAAggregator::max), PNAList<PNAScaler>(scaler)};
    CausalPNALayer<Dyn, Dyn> layer(options);
    randomize_parameters(layer, 3, 0.5);
    const GraphProblem problem(60, 300);
    const auto run = [&](auto& context, const auto& x, const auto& attributes) {
      return layer(context, x, make_graph(context, problem.list(), layer.kFilter), attributes);
    };
    auto x = random_tensor<float>(Nodes(60, 5), 1);
    auto attributes = random_tensor<float>(Nodes(300, 1), 2);
    check_promises(run, layer, x, attributes);
  }
}

TEST_CASE("CausalGraphNeuralNetwork keeps every promise with every kind of layer, norm and activation") {
  CausalGraphNeuralNetworkOptions options{.num_layers = 2};
  options.transformer_hidden_dim = 9;
  options.hidden_dim = 5;
  options.gin.edge_weight_scaling = true;
  options.pna.form = PNAForm::corrected;
  for (const auto type :
       {GraphType::causal_gin, GraphType::causal_gcn, GraphType::causal_recombination, GraphType::causal_pna}) {
    for (const auto activation : kActivations) {
      CAPTURE(int(type), int(activation));
      options.type = type;
      options.activation = activation;
      options.gin.norm = kNorms[static_cast<std::size_t>(activation)];
      const bool mixes_all = type == GraphType::causal_gin && options.gin.norm == GraphNormKind::graph;
      check_graph_layer(CausalGraphNeuralNetwork<Dyn>(options), 9, !mixes_all);
    }
  }
}

TEST_CASE("CausalGINLayer takes one graph without a list of graphs, and knows no further norm") {
  CausalGINOptions options{.in_channels = 3, .out_channels = 3};
  const auto x = random_tensor<float>(Nodes(2, 3), 1);
  Inference inference;
  const std::int64_t source[] = {0}, target[] = {1};
  const auto graph = make_graph(inference, EdgeList<std::int64_t>{source, target, 1, 2}, EdgeFilter::causal);
  CHECK((CausalGINLayer<Dyn, Dyn>(options)(inference, x, graph).extent(0) == 2));
  options.norm = static_cast<GraphNormKind>(9);
  const CausalGINLayer<Dyn, Dyn> unknown(options);
  CHECK_THROWS_WITH(unknown(inference, x, graph), "CausalGINLayer: norm is not a value of GraphNormKind");
}
