// SPDX-License-Identifier: Apache-2.0
// The examples of docs/layers.md for sparse graphs.
#include "weft/attention/llama_attention.hpp"
#include "weft/graph/graph_adapter.hpp"
#include "weft/mlp/llama_mlp.hpp"
#include "weft/models/graph_decoder_layer.hpp"

#include "support/layer_inputs.hpp"

namespace {

using Inputs = weft::AttentionInputs<float>;

/// [nodes, features]: the tokens of two texts.
using Nodes = weft::Tensor<float, weft::Shape<8, 8>>;

auto gcn_layer(weft::Inference& context, weft::Rng& rng, const Nodes& x) {
  const std::vector<int> source{0, 0, 1, 3};
  const std::vector<int> target{1, 2, 2, 1};  // the last edge goes backwards: the filter drops it
  const weft::EdgeList<int> edges{.source = source.data(), .target = target.data(), .edges = 4, .nodes = 8};
  const weft::Graph graph = weft::make_graph(context, edges, weft::EdgeFilter::causal);
  weft::CausalGCNLayer<8> layer;
  layer.initialize(rng, 0.02);
  const auto y = layer(context, x, graph);
  return y;
}

auto gin_layer(weft::Inference& context, weft::Rng& rng, const Nodes& x, const weft::Graph& graph) {
  weft::CausalGINLayer<8> layer({.hidden_multiplier = 2, .self_term = weft::GINSelfTerm::one_plus_epsilon});
  layer.initialize(rng, 0.02);
  const auto y = layer(context, x, graph);
  return y;
}

auto pna_layer(weft::Inference& context, weft::Rng& rng, const Nodes& x, const weft::Graph& graph) {
  weft::CausalPNALayer<8> layer({.form = weft::PNAForm::corrected, .towers = 2, .divide_input = true});
  layer.initialize(rng, 0.02);
  const auto y = layer(context, x, graph);
  return y;
}

auto recombination_layer(weft::Inference& context, weft::Rng& rng, const Nodes& x, const Weights& weights) {
  weft::CausalGNNRecombinationLayer<8> layer;
  layer.initialize(rng, 0.02);
  const auto graph = weft::make_graph(context, weights, 0, {layer.kFilter, weft::EdgeDirection::key_to_query, true});
  const auto y = layer(context, x, graph, weights);
  return y;
}

auto graph_network(weft::Inference& context, weft::Rng& rng, const Nodes& x, const weft::Graph& graph) {
  weft::CausalGraphNeuralNetwork<8> network(
      {.activation = weft::GraphActivation::prelu, .num_layers = 2, .hidden_dim = 16});
  network.initialize(rng, 0.02);
  const auto y = network(context, x, graph);
  return y;
}

auto learnable_adjacency(weft::Inference& context, weft::Rng& rng, const Weights& weights) {
  weft::AggregatedLearnableAdjacencyTransformer<2, 16> aggregate(true);  // the softmax over keys
  aggregate.initialize(rng, 0.02);
  const auto y = aggregate(context, weights);  // [2, 1, 4, 4]
  return y;
}

auto graph_adapter(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Weights& weights,
                   const Inputs& inputs) {
  weft::GraphAdapterOptions options;
  options.heads = 2;
  options.gnn.hidden_dim = 4;
  options.edge_direction = weft::EdgeDirection::key_to_query;
  weft::GraphAdapter<8> adapter(options);
  adapter.initialize(rng, 0.02);
  const auto y = adapter(context, x, weights, inputs);
  return y;
}

auto graph_decoder_layer(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::GraphAdapterOptions options;
  options.heads = 2;
  options.gnn.hidden_dim = 4;
  weft::GraphDecoderLayer<8, weft::LlamaAttention<8, 2>, weft::LlamaMLP<8, 16>, weft::GraphAdapter<8>> layer(
      weft::LlamaAttention<8, 2>(), weft::LlamaMLP<8, 16>(), weft::GraphAdapter<8>(options),
      {.gnn_logic = weft::GNNLogic::after_MLP});
  layer.initialize(rng, 0.02);
  const auto y = layer(context, x, inputs);
  return y;
}

}  // namespace

int main() {
  weft::Rng rng{42};
  weft::Inference context;
  const Hidden x = random_hidden(rng.next_stream());
  const Weights weights = even_weights();
  const RotaryTables rotary;
  Nodes nodes;
  std::copy_n(x.data(), nodes.size(), nodes.data());
  const auto graph =
      weft::make_graph(context, weights, 0, {weft::EdgeFilter::causal, weft::EdgeDirection::key_to_query, true});

  Results results;
  results.show("CausalGCNLayer", gcn_layer(context, rng, nodes));
  results.show("CausalGINLayer", gin_layer(context, rng, nodes, graph));
  results.show("CausalPNALayer", pna_layer(context, rng, nodes, graph));
  results.show("CausalGNNRecombinationLayer", recombination_layer(context, rng, nodes, weights));
  results.show("CausalGraphNeuralNetwork", graph_network(context, rng, nodes, graph));
  results.show("AggregatedLearnableAdjacencyTransformer", learnable_adjacency(context, rng, weights));
  results.show("GraphAdapter", graph_adapter(context, rng, x, weights, rotary.inputs()));
  results.show("GraphDecoderLayer", graph_decoder_layer(context, rng, x, rotary.inputs()));
  return results.status();
}
