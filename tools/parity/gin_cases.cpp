// SPDX-License-Identifier: Apache-2.0
// GIN attention and its layer.
#include "parity/attention_case.hpp"
#include "parity/layer_cases.hpp"

namespace parity {

namespace {

void gin_layer_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  const auto config = config_of(golden);
  weft::GINLayer<Dyn, Dyn> layer({.rms_norm_eps = config.llama.rms_norm_eps}, arguments.at("input_dim"),
                                 arguments.at("hidden_dim"));
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.x");
  auto adjacency = golden.tensor<float, Dyn, Dyn, Dyn>("in.adjacency");
  run_layer(
      golden, layer, [&](auto& context, const auto& in, const auto& a) { return layer(context, in, a); },
      {"x", "adjacency"}, x, adjacency);
}

void gin_attention_case(GoldenCase& golden) {
  const auto config = config_of(golden);
  if (!golden.text("call").starts_with("forward(")) {
    weft::fail("LlamaAttentionGIN: only forward is supported, found " + golden.text("call"));
  }
  // The layer alone may be wider than its input, which a whole model may not; everything else has to be supported.
  auto checked = config;
  checked.gnn.attention_GIN_MLP_o_proj_at_end = true;
  checked.gnn.use_GNN_from_attention = weft::GNNFromAttention::LlamaAttentionGIN;
  weft::validate(checked.llama, checked.gnn);
  const AttentionCase attention(golden, config.llama);
  weft::LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn> layer(weft::gin_options(config.llama, config.gnn));
  run_attention(golden, layer, attention, [&](weft::Inference& context, const auto& x) {
    return layer.attention_weights(context, x, attention.inputs);
  });
}

}  // namespace

void add_gin_cases(LayerCases& cases) {
  cases["GINLayer"] = gin_layer_case;
  cases["LlamaAttentionGIN"] = gin_attention_case;
}

}  // namespace parity
