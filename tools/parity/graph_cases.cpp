// SPDX-License-Identifier: Apache-2.0
// The sparse graph layers, and the learned adjacency.
#include "weft/graph/aggregated_learnable_adjacency_transformer.hpp"
#include "weft/graph/causal_graph_neural_network.hpp"

#include "parity/layer_cases.hpp"
#include "parity/names.hpp"
#include "parity/run_layer.hpp"

namespace parity {

namespace {

using Matrix = Tensor<float, Shape<Dyn, Dyn>>;

/// The graph of a case, with the memory it is read from.
struct GraphCase {
  Matrix x;
  Tensor<std::int64_t, Shape<Dyn, Dyn>> edge_index;
  Tensor<std::int64_t, Shape<Dyn>> batch;  ///< empty: one graph

  explicit GraphCase(const GoldenCase& golden)
      : x(golden.tensor<float, Dyn, Dyn>("in.x")), edge_index(golden.tensor<std::int64_t, Dyn, Dyn>("in.edge_index")) {
    if (golden.has("in.batch")) batch = golden.tensor<std::int64_t, Dyn>("in.batch");
  }

  template <class Context>
  weft::Graph graph(Context& context, weft::EdgeFilter filter) const {
    const std::int64_t* const index = edge_index.data();
    const Index edges = edge_index.extent(1);
    return weft::make_graph(
        context, weft::EdgeList<std::int64_t>{index, index + edges, edges, x.extent(0), batch.data()}, filter);
  }
};

weft::GraphActivation activation_named(const std::string& name) {
  return weft::graph_activation(named<weft::GNNActivation>(name));
}

weft::GraphNormKind norm_named(const std::string& name) {
  const std::string letters = lowered(name);
  if (letters == "layer") return weft::GraphNormKind::layer;
  if (letters == "graph") return weft::GraphNormKind::graph;
  if (letters == "instance") return weft::GraphNormKind::instance;
  weft::fail("unknown norm_type " + name);
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
    run(golden.stacked<0>("in.edge_weight"));
  } else {
    run(golden.tensor<float, Dyn, Dyn>("in." + edge_input));
  }
}

void gin_case(GoldenCase& golden) {
  const auto c = golden.json("ctor");
  const bool has_norm = c.value("GIN_use_norm", true);
  const weft::CausalGINOptions options{
      .use_mlp = c.value("GIN_use_MLP", true),
      .hidden_multiplier = c.value("GIN_hidden_dim_multiplier", 1.0),
      .norm = has_norm ? norm_named(c.value("norm_type", "layer")) : weft::GraphNormKind::none,
      .edge_weight_scaling = c.value("edge_weight_scaling", false),
      .bias = c.value("bias", true),
      .activation = activation_named(c.value("activation_fn", "relu")),
      .in_channels = c.at("in_channels"),
      .out_channels = c.at("out_channels")};
  weft::CausalGINLayer<Dyn, Dyn> layer(options);
  run_on_graph(golden, layer, layer.kFilter);
}

void gcn_case(GoldenCase& golden) {
  const auto c = golden.json("ctor");
  weft::CausalGCNLayer<Dyn, Dyn> layer({.bias = c.value("bias", true),
                                        .activation = activation_named(c.value("activation_fn", "relu")),
                                        .in_channels = c.at("in_channels"),
                                        .out_channels = c.at("out_channels")});
  run_on_graph(golden, layer, layer.kFilter);
}

void recombination_case(GoldenCase& golden) {
  const auto c = golden.json("ctor");
  weft::CausalGNNRecombinationLayer<Dyn> layer(
      {.activation = activation_named(c.value("activation_fn", "relu")), .hidden_dim = c.at("hidden_dim")});
  run_on_graph(golden, layer, layer.kFilter);
}

weft::PNARules rules_of(const nlohmann::json& c) {
  weft::PNARules rules{{}, {}};
  for (const std::string name : c.at("aggregators")) rules.aggregators.add(named<weft::PNAAggregator>(name));
  for (const std::string name : c.at("scalers")) rules.scalers.add(named<weft::PNAScaler>(name));
  return rules;
}

weft::CausalPNAOptions pna_options(const nlohmann::json& c) {
  return {.rules = rules_of(c),
          .edge_dim = c.at("edge_dim"),
          .towers = c.value("towers", 1),
          .pre_layers = c.value("pre_layers", 1),
          .post_layers = c.value("post_layers", 1),
          .divide_input = c.value("divide_input", false),
          .act = activation_named(c.value("act", "relu"))};
}

void pna_case(GoldenCase& golden) {
  const auto c = golden.json("ctor");
  auto options = pna_options(c);
  options.activation = activation_named(c.value("activation_fn", "relu"));
  options.in_channels = c.at("in_channels");
  options.out_channels = c.at("out_channels");
  weft::CausalPNALayer<Dyn, Dyn> layer(options);
  run_on_graph(golden, layer, layer.kFilter, "edge_attr");
}

void network_case(GoldenCase& golden) {
  const auto g = golden.json("config").at("gnn_config");
  const auto outer = golden.json("ctor").at("transformer_hidden_dim");  // null: no projections
  weft::CausalGraphNeuralNetworkOptions options{.type = weft::graph_type(named<weft::GNNType>(g.at("gnn_type"))),
                                                .activation = activation_named(g.at("activation")),
                                                .num_layers = g.at("num_layers"),
                                                .residual = g.at("gnn_residual"),
                                                .dropout = g.at("dropout"),
                                                .transformer_hidden_dim = outer.is_null() ? g.at("hidden_dim") : outer,
                                                .hidden_dim = g.at("hidden_dim")};
  if (options.type == weft::GraphType::causal_gin) {
    const bool has_norm = g.at("GIN_use_norm");
    options.gin = {.use_mlp = g.at("GIN_use_MLP"),
                   .hidden_multiplier = g.at("GIN_hidden_dim_multiplier"),
                   .norm = has_norm ? weft::GraphNormKind::layer : weft::GraphNormKind::none,
                   .edge_weight_scaling = g.at("GIN_edge_weight_scaling")};
  } else if (options.type == weft::GraphType::causal_pna) {
    options.pna = pna_options(g);
  }
  weft::CausalGraphNeuralNetwork<Dyn> layer(options);
  run_on_graph(golden, layer, layer.filter());
}

void learnable_adjacency_case(GoldenCase& golden) {
  const auto c = golden.json("ctor");
  const auto last = named<weft::AggregateActivation>(c.value("activation", "softmax"));
  weft::AggregatedLearnableAdjacencyTransformer<Dyn> layer(last == weft::AggregateActivation::softmax,
                                                           c.at("num_heads"), c.at("adj_transform_hidden_dim"));
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
