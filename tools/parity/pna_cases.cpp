// SPDX-License-Identifier: Apache-2.0
// PNA attention.
#include "weft/attention/llama_attention_pna.hpp"
#include "weft/ops/normalize_adjacency/normalize_adjacency.hpp"

#include "parity/attention_case.hpp"
#include "parity/layer_cases.hpp"

namespace parity {

namespace {

weft::LlamaAttentionPNAOptions pna_options(const GoldenCase& golden, const weft::PretrainedConfig& config) {
  const weft::LlamaConfig& llama = config.llama;
  const weft::GNNConfig& gnn = config.gnn;
  const auto json = golden.json("config").at("gnn_config");
  weft::LlamaAttentionPNAOptions options;
  options.bias = llama.attention_bias;
  options.mlp_bias = llama.mlp_bias;
  options.multiplier = gnn.attention_GIN_MLP_multiplier;
  options.use_softmax = gnn.attention_GIN_MLP_GIN_use_softmax;
  options.use_ReLU_instead_of_softmax = json.value("attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax", true);
  options.softmax_temperature = gnn.attention_GIN_MLP_GIN_softmax_temperature;
  options.residual_epsilon_uniform_value = gnn.residual_epsilon_uniform_value;
  options.learnable_threshold = gnn.attention_GIN_MLP_GIN_learnable_threshold;
  options.threshold_value = gnn.attention_GIN_MLP_GIN_threshold_value;
  options.threshold.mode = gnn.attention_GIN_MLP_GIN_threshold_mode;
  options.threshold.binary_scale = gnn.attention_GIN_MLP_GIN_binary_scale;
  options.threshold.softplus_beta = gnn.attention_GIN_MLP_GIN_sharp_softplus_beta;
  options.threshold.top_k_fraction = gnn.attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length;
  options.pna_empty_max = weft::PNAEmptyMax::minus_inf;
  options.pna_lm_negative_threshold = true;
  options.hidden_size = llama.hidden_size;
  options.heads = llama.num_attention_heads;
  options.key_value_heads = llama.kv_heads();
  options.head_dim = llama.head_size();
  return options;
}

template <class Layer>
void pna_attention_case(GoldenCase& golden) {
  const auto config = config_of(golden);
  Layer layer(pna_options(golden, config));
  if (golden.text("call").starts_with("process_adjacency_with_modes(")) {
    load_layer(golden, layer);
    auto weights = golden.tensor<float, Dyn, Dyn, Dyn, Dyn>("in.adj_matrix");
    run_layer(
        golden, layer, [&](auto& context, const auto& a) { return layer.processed(context, a); }, {"adj_matrix"},
        weights);
    return;
  }
  if (golden.text("call").starts_with("_normalize_causal_adjacency(")) {
    load_layer(golden, layer);
    const auto mask = golden.stacked<1>("in.causal_mask");
    auto weights = golden.tensor<float, Dyn, Dyn, Dyn, Dyn>("in.A");
    run_layer(
        golden, layer, [&](auto& context, const auto& a) { return weft::normalize_adjacency(context, a, mask); }, {"A"},
        weights);
    return;
  }
  const AttentionCase attention(golden, config.llama);
  run_attention(golden, layer, attention, [&](weft::Inference& context, const auto& x) {
    return layer.attention_weights(context, x, attention.inputs);
  });
}

}  // namespace

void add_pna_cases(LayerCases& cases) {
  cases["LlamaAttentionPNA"] = pna_attention_case<weft::LlamaAttentionPNA<Dyn, Dyn, Dyn, Dyn>>;
  cases["LlamaAttentionPNA_LM"] = pna_attention_case<weft::LlamaAttentionPNA_LM<Dyn, Dyn, Dyn, Dyn>>;
}

}  // namespace parity
