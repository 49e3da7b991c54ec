// SPDX-License-Identifier: Apache-2.0
// The sparse graph layers, and the learned adjacency.
#include "weft/graph/aggregated_learnable_adjacency_transformer.hpp"
#include "weft/graph/causal_graph_neural_network.hpp"

#include "parity/layer_cases.hpp"
#include "parity/run_layer.hpp"

namespace parity {

namespace {

using Matrix = Tensor<float, Shape<Dyn, Dyn>>;

/// The graph of a case, with the memory it is read from.
struct GraphCase {
  Matrix x;
  Tensor<std::int64_t, Shape<Dyn, Dyn>> edge_index;
  Tensor<std::int64_t, Shape<Dyn>> batch;

  explicit GraphCase(const GoldenCase& golden)
      : x(golden.tensor<float, Dyn, Dyn>("in.x")),
        edge_index(golden.tensor<std::int64_t, Dyn, Dyn>("in.edge_index")),
        batch(golden.tensor<std::int64_t, Dyn>("in.batch")) {}

  template <class Context>
  weft::Graph graph(Context& context, weft::EdgeFilter filter) const {
    const std::int64_t* const index = edge_index.data();
    const Index edges = edge_index.extent(1);
    return weft::make_graph(
        context, weft::EdgeList<std::int64_t>{index, index + edges, edges, x.extent(0), batch.data()}, filter);
  }
};

weft::GraphActivation activation_named(const std::string& name) {
  if (name == "relu") return weft::GraphActivation::relu;
  if (name == "tanh") return weft::GraphActivation::tanh;
  if (name == "gelu") return weft::GraphActivation::gelu;
  if (name == "prelu") return weft::GraphActivation::prelu;
  weft::fail("unknown activation " + name);
}

/// Runs a layer with the weights of the edges, where the case has them, or without.
template <class Layer>
void run_on_graph(GoldenCase& golden, Layer& layer, weft::EdgeFilter filter,
                  const std::string& edge_input = "edge_weight") {
  GraphCase graph(golden);
  load_layer(golden, layer);
  if (!golden.has("in." + edge_input)) {
    run_layer(
        golden, layer, [&](auto& context, const auto& x) { return layer(context, x, graph.graph(context, filter)); },
        {"x"}, graph.x);
    return;
  }
  const auto run = [&](auto edges) {
    run_layer(
        golden, layer,
        [&](auto& context, const auto& x, const auto& w) { return layer(context, x, graph.graph(context, filter), w); },
        {"x", edge_input}, graph.x, edges);
  };
  if (edge_input == "edge_weight") {
    run(golden.tensor<float, Dyn>("in.edge_weight"));
  } else {
    run(golden.tensor<float, Dyn, Dyn>("in." + edge_input));
  }
}

void gin_case(GoldenCase& golden) {
  const auto c = golden.json("ctor");
  weft::CausalGINOptions options{.use_mlp = c.at("GIN_use_MLP"),
                                 .hidden_multiplier = c.at("GIN_hidden_dim_multiplier"),
                                 .edge_weight_scaling = c.at("edge_weight_scaling"),
                                 .bias = c.at("bias"),
                                 .activation = activation_named(c.at("activation_fn")),
                                 .in_channels = c.at("in_channels"),
                                 .out_channels = c.at("out_channels")};
  const std::string norm = c.at("norm_type");
  options.norm = !c.at("GIN_use_norm").get<bool>() ? weft::GraphNormKind::none
                 : norm == "layer"                 ? weft::GraphNormKind::layer
                 : norm == "graph"                 ? weft::GraphNormKind::graph
                                                   : weft::GraphNormKind::instance;
  weft::CausalGINLayer<Dyn, Dyn> layer(options);
  run_on_graph(golden, layer, layer.kFilter);
}

void gcn_case(GoldenCase& golden) {
  const auto c = golden.json("ctor");
  weft::CausalGCNLayer<Dyn, Dyn> layer({.bias = c.at("bias"),
                                        .activation = activation_named(c.at("activation_fn")),
                                        .in_channels = c.at("in_channels"),
                                        .out_channels = c.at("out_channels")});
  run_on_graph(golden, layer, layer.kFilter);
}

void recombination_case(GoldenCase& golden) {
  const auto c = golden.json("ctor");
  weft::CausalGNNRecombinationLayer<Dyn> layer(
      {.activation = activation_named(c.at("activation_fn")), .hidden_dim = c.at("hidden_dim")});
  run_on_graph(golden, layer, layer.kFilter);
}

weft::PNARules rules_of(const nlohmann::json& c) {
  static const std::map<std::string, weft::PNAAggregator> aggregators{{"mean", weft::PNAAggregator::mean},
                                                                      {"sum", weft::PNAAggregator::sum},
                                                                      {"min", weft::PNAAggregator::min},
                                                                      {"max", weft::PNAAggregator::max},
                                                                      {"std", weft::PNAAggregator::std}};
  static const std::map<std::string, weft::PNAScaler> scalers{{"identity", weft::PNAScaler::identity},
                                                              {"amplification", weft::PNAScaler::amplification},
                                                              {"attenuation", weft::PNAScaler::attenuation}};
  weft::PNARules rules{{}, {}};
  for (const std::string name : c.at("aggregators")) rules.aggregators.add(aggregators.at(name));
  for (const std::string name : c.at("scalers")) rules.scalers.add(scalers.at(name));
  return rules;
}

weft::CausalPNAOptions pna_options(const nlohmann::json& c) {
  return {.rules = rules_of(c),
          .edge_dim = c.at("edge_dim"),
          .towers = c.at("towers"),
          .pre_layers = c.at("pre_layers"),
          .post_layers = c.at("post_layers"),
          .divide_input = c.at("divide_input"),
          .act = activation_named(c.at("act"))};
}

void pna_case(GoldenCase& golden) {
  const auto c = golden.json("ctor");
  auto options = pna_options(c);
  options.activation = activation_named(c.at("activation_fn"));
  options.in_channels = c.at("in_channels");
  options.out_channels = c.at("out_channels");
  weft::CausalPNALayer<Dyn, Dyn> layer(options);
  run_on_graph(golden, layer, layer.kFilter, "edge_attr");
}

void network_case(GoldenCase& golden) {
  const auto g = golden.json("config").at("gnn_config");
  const std::string type = g.at("gnn_type");
  weft::CausalGraphNeuralNetworkOptions options{
      .activation = activation_named(g.at("activation")),
      .num_layers = g.at("num_layers"),
      .residual = g.at("gnn_residual"),
      .dropout = g.at("dropout"),
      .transformer_hidden_dim = golden.json("ctor").at("transformer_hidden_dim"),
      .hidden_dim = g.at("hidden_dim")};
  if (type == "causal_gin") {
    const bool has_norm = g.at("GIN_use_norm");
    options.gin = {.use_mlp = g.at("GIN_use_MLP"),
                   .hidden_multiplier = g.at("GIN_hidden_dim_multiplier"),
                   .norm = has_norm ? weft::GraphNormKind::layer : weft::GraphNormKind::none,
                   .edge_weight_scaling = g.at("GIN_edge_weight_scaling")};
  } else if (type == "causal_gcn") {
    options.type = weft::GraphType::causal_gcn;
  } else if (type == "causal_recombination") {
    options.type = weft::GraphType::causal_recombination;
  } else {
    options.type = weft::GraphType::causal_pna;
    options.pna = pna_options(g);
  }
  weft::CausalGraphNeuralNetwork<Dyn> layer(options);
  run_on_graph(golden, layer, layer.filter());
}

void learnable_adjacency_case(GoldenCase& golden) {
  const auto c = golden.json("ctor");
  weft::AggregatedLearnableAdjacencyTransformer<Dyn> layer(c.at("activation") == "softmax", c.at("num_heads"),
                                                           c.at("adj_transform_hidden_dim"));
  load_layer(golden, layer);
  auto weights = golden.tensor<float, Dyn, Dyn, Dyn, Dyn>("in.attn_weights");
  run_layer(
      golden, layer, [&](auto& context, const auto& a) { return layer(context, a); }, {"attn_weights"}, weights);
}

}  // namespace

void add_graph_cases(LayerCases& cases) {
  cases["AggregatedLearnableAdjacencyTransformer"] = learnable_adjacency_case;
  cases["CausalGCNLayer"] = gcn_case;
  cases["CausalGINLayer"] = gin_case;
  cases["CausalGNNRecombinationLayer"] = recombination_case;
  cases["CausalGraphNeuralNetwork"] = network_case;
  cases["CausalPNALayer"] = pna_case;
}

}  // namespace parity
