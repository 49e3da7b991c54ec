// SPDX-License-Identifier: Apache-2.0
// GIN attention, its layer, and the functions beside them.
#include "weft/attention/adj_rms_norm.hpp"
#include "weft/ops/adjacency/step_functions.hpp"
#include "weft/ops/gumbel_sigmoid/gumbel_sigmoid.hpp"

#include "parity/attention_case.hpp"
#include "parity/layer_cases.hpp"

namespace parity {

namespace {

using GINAttention = weft::LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn>;

void gin_layer_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  const auto config = config_of(golden);
  weft::GINLayer<Dyn, Dyn> layer({.rms_norm_eps = config.llama.rms_norm_eps}, arguments.at("input_dim"),
                                 arguments.at("hidden_dim"), arguments.value("epsilon", 0.0));
  load_layer(golden, layer);
  auto x = golden.stacked<2>("in.x");
  auto adjacency = golden.stacked<2>("in.adjacency");
  run_layer(
      golden, layer, [&](auto& context, const auto& in, const auto& a) { return layer(context, in, a); },
      {"x", "adjacency"}, x, adjacency);
}

/// The layer's threshold mode alone.
void process_case(GoldenCase& golden, const weft::GNNConfig& gnn, GINAttention& layer) {
  load_layer(golden, layer);
  auto a = golden.tensor<float, Dyn, Dyn, Dyn, Dyn>("in.adj_matrix");
  const auto options = weft::threshold_options(gnn);
  const auto process = [&](auto& context, const auto& in) {
    return layer.threshold ? weft::process_adjacency(context, in, options, *layer.threshold)
                           : weft::process_adjacency(context, in, options, gnn.attention_GIN_MLP_GIN_threshold_value);
  };
  run_layer(golden, layer, process, {"adj_matrix"}, a);
}

/// The scoring function's weights alone.
void scoring_case(GoldenCase& golden, GINAttention& layer) {
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.hidden_states");
  Tensor<float, Shape<Dyn, 1, Dyn, Dyn>> mask;
  weft::AttentionInputs<float> inputs;
  if (golden.has("in.attention_mask")) {
    mask = golden.mask("in.attention_mask");
    inputs.additive_mask = mask;
  }
  run_layer(
      golden, layer, [&](auto& context, const auto& in) { return layer.scoring_weights(context, in, inputs); },
      {"hidden_states"}, x);
}

void gin_attention_case(GoldenCase& golden) {
  const auto config = config_of(golden);
  GINAttention layer(weft::gin_options(config.llama, config.gnn, layer_index_of(golden)));
  const std::string call = golden.text("call");
  if (call.starts_with("process_adjacency_with_modes(")) return process_case(golden, config.gnn, layer);
  if (call.starts_with("compute_attn_weights")) return scoring_case(golden, layer);
  if (!call.starts_with("forward(")) weft::fail("LlamaAttentionGIN: unknown call " + call);
  const AttentionCase attention(golden, config.llama);
  run_attention(golden, layer, attention, [&](weft::Inference& context, const auto& x) {
    return layer.attention_weights(context, x, attention.inputs);
  });
}

void adj_rms_norm_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  weft::AdjRMSNorm<> layer(arguments.value("eps", 1e-8), arguments.value("scalar_weight", true));
  load_layer(golden, layer);
  auto flat = golden.stacked<0>("in.x");
  const auto& shape = golden.file().tensor("in.x").shape;
  const Index samples = shape.empty() ? 1 : shape[0];
  auto x = flat.reshape(Shape<Dyn, Dyn>(samples, samples > 0 ? flat.size() / samples : 0));
  run_layer(
      golden, layer, [&](auto& context, const auto& in) { return layer(context, in); }, {"x"}, x);
}

void flow_threshold_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  const double s1 = arguments.value("sharpness_1", 5.0);
  const double s2 = arguments.value("sharpness_2", 50.0);
  weft::NoParameters none;
  auto x = golden.stacked<0>("in.x");
  auto given = golden.stacked<0>("in.threshold");  // of one element
  auto threshold = given.reshape(Shape<>());
  run_layer(
      golden, none,
      [&](auto& context, const auto& in, const auto& t) { return weft::flow_threshold(context, in, t, s1, s2); },
      {"x", "threshold"}, x, threshold);
}

void sharp_softplus_case(GoldenCase& golden) {
  const double beta = golden.json("ctor").value("beta", 1.0);
  weft::NoParameters none;
  auto x = golden.stacked<0>("in.x");
  run_layer(
      golden, none, [&](auto& context, const auto& in) { return weft::sharp_softplus(context, in, beta); }, {"x"}, x);
}

void gumbel_sigmoid_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  const double tau = arguments.value("tau", 1.0);
  const double eps = arguments.value("eps", 1e-10);
  weft::NoParameters none;
  auto logits = golden.stacked<0>("in.logits");
  const auto uniforms = golden.stacked<1>("in.U");
  run_layer(
      golden, none,
      [&](auto& context, const auto& in) { return weft::gumbel_sigmoid(context, in, uniforms, tau, eps); }, {"logits"},
      logits);
}

void scaled_top_k_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  const auto a = golden.tensor<float, Dyn, Dyn, Dyn, Dyn>("in.adj_matrix");
  weft::Inference inference;
  golden.compare("out.output", weft::scaled_topk_causal_4d(inference, a, arguments.value("sparsity_frac", 0.5),
                                                           arguments.value("threshold", 0.0)));
}

}  // namespace

void add_gin_cases(LayerCases& cases) {
  cases["AdjRMSNorm"] = adj_rms_norm_case;
  cases["FlowThreshold"] = flow_threshold_case;
  cases["GINLayer"] = gin_layer_case;
  cases["LlamaAttentionGIN"] = gin_attention_case;
  cases["gumbel_sigmoid"] = gumbel_sigmoid_case;
  cases["scaled_topk_causal_4d"] = scaled_top_k_case;
  cases["sharp_softplus"] = sharp_softplus_case;
}

}  // namespace parity
