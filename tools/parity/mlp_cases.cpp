// SPDX-License-Identifier: Apache-2.0
// The feed-forward blocks of the reference beside Llama's own.
#include "weft/mlp/llama_mlp_halfway_gin.hpp"
#include "weft/mlp/llama_mlp_multi_aggregation.hpp"
#include "weft/mlp/llama_mlp_multi_hop.hpp"
#include "weft/mlp/llama_simple_mlp.hpp"

#include "parity/attention_case.hpp"
#include "parity/layer_cases.hpp"

namespace parity {

namespace {

template <class Layer>
void run_mlp(GoldenCase& golden, Layer& layer) {
  load_layer(golden, layer);
  auto x = golden.stacked<1>("in.x");
  run_layer(
      golden, layer, [&](auto& context, const auto& in) { return layer(context, in); }, {"x"}, x);
}

template <class Layer, class Options>
void adjacency_mlp_case(GoldenCase& golden) {
  const auto llama = config_of(golden).llama;
  Options options;
  options.activation = weft::activation_of(llama.hidden_act);
  options.bias = llama.mlp_bias;
  options.hidden_size = llama.hidden_size;
  options.intermediate_size = llama.intermediate_size;
  options.heads = llama.num_attention_heads;
  Layer layer(options);
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.x");
  auto adjacency = golden.tensor<float, Dyn, Dyn, Dyn, Dyn>("in.adjacency");
  run_layer(
      golden, layer, [&](auto& context, const auto& in, const auto& a) { return layer(context, in, a); },
      {"x", "adjacency"}, x, adjacency);
}

void simple_mlp_case(GoldenCase& golden) {
  const auto llama = config_of(golden).llama;
  weft::LlamaSimpleMLP<Dyn> layer(weft::activation_of(llama.hidden_act), llama.mlp_bias, llama.hidden_size);
  run_mlp(golden, layer);
}

void shallow_mlp_case(GoldenCase& golden) {
  const auto llama = config_of(golden).llama;
  weft::ShallowLlamaMLP<Dyn, Dyn> layer(weft::activation_of(llama.hidden_act), llama.mlp_bias, llama.hidden_size,
                                        llama.intermediate_size);
  run_mlp(golden, layer);
}

}  // namespace

void add_mlp_cases(LayerCases& cases) {
  cases["LlamaMLP_HalfwayGIN"] =
      adjacency_mlp_case<weft::LlamaMLP_HalfwayGIN<Dyn, Dyn, Dyn>, weft::AdjacencyMLPOptions>;
  cases["LlamaMLP_HalfwayGIN_MultiAggregation"] =
      adjacency_mlp_case<weft::LlamaMLP_HalfwayGIN_MultiAggregation<Dyn, Dyn, Dyn>, weft::MultiAggregationOptions>;
  cases["LlamaMLP_MultiHop"] = adjacency_mlp_case<weft::LlamaMLP_MultiHop<Dyn, Dyn, Dyn>, weft::AdjacencyMLPOptions>;
  cases["LlamaSimpleMLP"] = simple_mlp_case;
  cases["ShallowLlamaMLP"] = shallow_mlp_case;
}

}  // namespace parity
