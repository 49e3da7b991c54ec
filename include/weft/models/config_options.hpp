// SPDX-License-Identifier: Apache-2.0
/// \file
/// From configurations, as files have them, to the options of each layer.
#pragma once

#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_gin_options.hpp"
#include "weft/attention/llama_attention_pna_options.hpp"
#include "weft/graph/graph_adapter.hpp"
#include "weft/mlp/head_parameters.hpp"
#include "weft/mlp/multi_aggregation_options.hpp"
#include "weft/models/causal_lm.hpp"
#include "weft/models/config.hpp"
#include "weft/models/graph_decoder_layer.hpp"
#include "weft/perceiver/cg_attention.hpp"
#include "weft/perceiver/cg_attention_interpolate.hpp"

namespace weft {

/// The activation that `hidden_act` names.
inline Activation activation_of(HiddenAct act) {
  switch (act) {
    case HiddenAct::silu:
      return Activation::silu;
    case HiddenAct::gelu:
      return Activation::gelu;
    case HiddenAct::gelu_pytorch_tanh:
      return Activation::gelu_tanh;
    case HiddenAct::relu:
      return Activation::relu;
    case HiddenAct::sigmoid:
      return Activation::sigmoid;
    case HiddenAct::tanh:
      return Activation::tanh;
  }
  fail("activation_of(act): not a value of HiddenAct");
}

/// The options of standard attention, with every extent given.
inline LlamaAttentionOptions attention_options(const LlamaConfig& llama) {
  return {.bias = llama.attention_bias,
          .attention_dropout = llama.attention_dropout,
          .hidden_size = llama.hidden_size,
          .heads = llama.num_attention_heads,
          .key_value_heads = llama.kv_heads(),
          .head_dim = llama.head_size()};
}

/// The numbers of a threshold mode.
constexpr ThresholdOptions threshold_options(const GNNConfig& gnn) {
  const Compatibility switches = gnn.switches();
  return {.mode = gnn.attention_GIN_MLP_GIN_threshold_mode,
          .binary_scale = gnn.attention_GIN_MLP_GIN_binary_scale,
          .softplus_beta = gnn.attention_GIN_MLP_GIN_sharp_softplus_beta,
          .sigmoid_beta = gnn.attention_GIN_MLP_GIN_sharp_softplus_beta,
          .top_k_fraction = gnn.attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length,
          .respects_mask = *switches.threshold_respects_mask,
          .drop_below_threshold = *switches.scaled_topk_drop_below_threshold,
          .topk_ties = *switches.topk_ties};
}

/// The options of GIN attention, with every extent given; `layer_idx` counts decoder layers from 0.
constexpr LlamaAttentionGINOptions gin_options(const LlamaConfig& llama, const GNNConfig& gnn, int layer_idx = 0) {
  const Compatibility switches = gnn.switches();
  return {.bias = llama.attention_bias,
          .o_proj_at_end = gnn.attention_GIN_MLP_o_proj_at_end,
          .multiplier = gnn.attention_GIN_MLP_multiplier,
          .attention_dropout = llama.attention_dropout,
          .softmax_temperature = gnn.attention_GIN_MLP_GIN_softmax_temperature,
          .use_sharpening = gnn.use_sharpening,
          .sharpening_init = gnn.sharpening_value_init,
          .initial_sharpening_value = gnn.initial_sharpening_value,
          .residual_epsilon_uniform_value = gnn.residual_epsilon_uniform_value,
          .learnable_threshold = gnn.attention_GIN_MLP_GIN_learnable_threshold,
          .threshold_value = gnn.attention_GIN_MLP_GIN_threshold_value,
          .threshold = threshold_options(gnn),
          .use_softmax = gnn.attention_GIN_MLP_GIN_use_softmax,
          .use_scoring_fnct = gnn.attention_GIN_MLP_use_scoring_fnct,
          .scoring_hidden_dim = gnn.attention_GIN_MLP_scoring_hidden_dim,
          .use_differential_attention = gnn.use_differential_attention,
          .differential_group_norm = gnn.use_differential_attention_group_norm,
          .layer_idx = layer_idx,
          .mask_after_scaling = *switches.mask_after_scaling,
          .gin = {.rms_norm_eps = llama.rms_norm_eps,
                  .dropout_rate = gnn.dropout_rate,
                  .self_term = *switches.gin_self_term},
          .hidden_size = llama.hidden_size,
          .heads = llama.num_attention_heads,
          .key_value_heads = llama.kv_heads(),
          .head_dim = llama.head_size()};
}

/// The adjacencies that the GIN attention of a configuration needs.
constexpr GINAdjacency gin_adjacency(const LlamaConfig& llama, const GNNConfig& gnn) {
  return gin_options(llama, gnn).is_plain() ? GINAdjacency::softmax : GINAdjacency::any;
}

/// The options of both kinds of PNA attention, with every extent given.
inline LlamaAttentionPNAOptions pna_options(const LlamaConfig& llama, const GNNConfig& gnn) {
  const Compatibility switches = gnn.switches();
  return {.bias = llama.attention_bias,
          .mlp_bias = llama.mlp_bias,
          .multiplier = gnn.attention_GIN_MLP_multiplier,
          .use_softmax = gnn.attention_GIN_MLP_GIN_use_softmax,
          .use_ReLU_instead_of_softmax = gnn.attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax,
          .softmax_temperature = gnn.attention_GIN_MLP_GIN_softmax_temperature,
          .attention_dropout = llama.attention_dropout,
          .residual_epsilon_uniform_value = gnn.residual_epsilon_uniform_value,
          .learnable_threshold = gnn.attention_GIN_MLP_GIN_learnable_threshold,
          .threshold_value = gnn.attention_GIN_MLP_GIN_threshold_value,
          .threshold = threshold_options(gnn),
          .pna_max = *switches.pna_max,
          .pna_empty_max = *switches.pna_empty_max,
          .pna_lm_fallback = *switches.pna_lm_fallback,
          .pna_lm_negative_threshold = *switches.pna_lm_negative_threshold,
          .hidden_size = llama.hidden_size,
          .heads = llama.num_attention_heads,
          .key_value_heads = llama.kv_heads(),
          .head_dim = llama.head_size()};
}

/// The extents of every perceiver; num_latents comes from the list.
inline PerceiverOptions perceiver_options(const LlamaConfig& llama, const GNNConfig& gnn) {
  return {.hidden_size = llama.hidden_size,
          .heads = llama.num_attention_heads,
          .max_position_embeddings = gnn.max_position_embeddings,
          .num_latents = gnn.num_latents,
          .tokens_per_latent = gnn.tokens_per_latent,
          .num_latent_layers = gnn.num_latent_layers,
          .attention_dropout = llama.attention_dropout};
}

/// The options of CG_Attention, with every extent given.
inline CGAttentionOptions cg_options(const LlamaConfig& llama, const GNNConfig& gnn) {
  return {.perceiver = perceiver_options(llama, gnn),
          .num_latents_list = {gnn.num_latents_list.begin(), gnn.num_latents_list.end()},
          .use_skip = gnn.CG_Attention_use_skip,
          .cg_mask = *gnn.switches().cg_mask};
}

/// The options of CG_Attention_Interpolate, with every extent given.
inline CGAttentionInterpolateOptions cg_interpolate_options(const LlamaConfig& llama, const GNNConfig& gnn) {
  const Compatibility switches = gnn.switches();
  return {.perceiver = perceiver_options(llama, gnn),
          .num_latents_list = {gnn.num_latents_list.begin(), gnn.num_latents_list.end()},
          .use_skip = gnn.CG_Attention_use_skip,
          .use_projection = gnn.use_projection,
          .scaling = {.mix_weights_initial = gnn.mix_weights_initial,
                      .adjacency = *switches.cgi_adjacency,
                      .interpolation = gnn.interpolation_method_for_adj_scaling,
                      .mask_local = *switches.cgi_mask_local}};
}

/// The options of the feed-forward blocks on an adjacency, with every extent given.
inline AdjacencyMLPOptions adjacency_mlp_options(const LlamaConfig& llama) {
  return {.activation = activation_of(llama.hidden_act),
          .bias = llama.mlp_bias,
          .hidden_size = llama.hidden_size,
          .intermediate_size = llama.intermediate_size,
          .heads = llama.num_attention_heads};
}

/// The same for the one with several aggregates.
inline MultiAggregationOptions multi_aggregation_options(const LlamaConfig& llama, const GNNConfig& gnn) {
  const Compatibility switches = gnn.switches();
  return {.activation = activation_of(llama.hidden_act),
          .bias = llama.mlp_bias,
          .multiagg_future_mask = *switches.multiagg_future_mask,
          .multiagg_max = *switches.multiagg_max,
          .negative_weights = *switches.multiagg_negative_weights,
          .hidden_size = llama.hidden_size,
          .intermediate_size = llama.intermediate_size,
          .heads = llama.num_attention_heads};
}

/// The kind of layer that `gnn_type` names.
inline GraphType graph_type(GNNType type) {
  switch (type) {
    case GNNType::causal_gin:
      return GraphType::causal_gin;
    case GNNType::causal_gcn:
      return GraphType::causal_gcn;
    case GNNType::causal_recombination:
      return GraphType::causal_recombination;
    case GNNType::causal_pna:
      return GraphType::causal_pna;
    case GNNType::causal_gnn:
      break;
  }
  fail("graph_type(type): \"causal_gnn\" names no kind of layer (quirk C1)");
}

/// The activation of graph layers.
inline GraphActivation graph_activation(GNNActivation activation) {
  switch (activation) {
    case GNNActivation::relu:
      return GraphActivation::relu;
    case GNNActivation::tanh:
      return GraphActivation::tanh;
    case GNNActivation::gelu:
      return GraphActivation::gelu;
    case GNNActivation::prelu:
      return GraphActivation::prelu;
  }
  fail("graph_activation(activation): not a value of GNNActivation");
}

/// The options of the layers of `causal_pna`, in the form of the switch: the reference's cannot be built (quirk L9).
inline CausalPNAOptions graph_pna_options(const GNNConfig& gnn) {
  PNARules rules{{}, {}};
  for (const PNAAggregator aggregator : gnn.aggregators) rules.aggregators.add(aggregator);
  for (const PNAScaler scaler : gnn.scalers) rules.scalers.add(scaler);
  return {.form = *gnn.switches().pna_form,
          .rules = rules,
          .edge_dim = gnn.edge_dim > 0 ? gnn.edge_dim : gnn.hidden_dim,
          .towers = gnn.towers,
          .pre_layers = gnn.pre_layers,
          .post_layers = gnn.post_layers,
          .divide_input = gnn.divide_input,
          .act = graph_activation(gnn.act)};
}

/// The options of the network inside a graph adapter.
inline CausalGraphNeuralNetworkOptions graph_network_options(const GNNConfig& gnn) {
  return {.type = graph_type(gnn.gnn_type),
          .activation = graph_activation(gnn.activation),
          .num_layers = gnn.num_layers,
          .residual = gnn.gnn_residual,
          .dropout = gnn.dropout,
          .gin = {.use_mlp = gnn.GIN_use_MLP,
                  .hidden_multiplier = gnn.GIN_hidden_dim_multiplier,
                  .norm = gnn.GIN_use_norm ? GraphNormKind::layer : GraphNormKind::none,
                  .edge_weight_scaling = gnn.GIN_edge_weight_scaling,
                  .self_term = *gnn.switches().gin_self_term},
          .pna = graph_pna_options(gnn),
          .hidden_dim = gnn.hidden_dim};
}

/// How attention weights become the edges of that network.
inline GraphAdjacencyOptions graph_adjacency_options(const GNNConfig& gnn) {
  return {.method = gnn.adj_construction_method,
          .per_head = gnn.gnn_mode == GNNMode::per_head,
          .threshold = gnn.threshold,
          .epsilon_threshold = gnn.epsilon_threshold,
          .tau = gnn.threshold_any_tau,
          .alpha = gnn.continuous_transform_alpha,
          .zero_below_epsilon = gnn.zero_below_epsilon_threshold,
          .remove_self_connections = gnn.remove_self_connections,
          .enforce_causality = gnn.enforce_causality,
          .respects_mask = *gnn.switches().threshold_respects_mask,
          .use_distance_scaling = gnn.use_distance_scaling,
          .distance_strength = gnn.distance_weight_strength,
          .distance_scaling = gnn.distance_scaling_method,
          .distance_zero_guard = *gnn.switches().distance_zero_guard};
}

/// The options of the sparse graph network beside the attention, with every extent given.
inline GraphAdapterOptions graph_options(const LlamaConfig& llama, const GNNConfig& gnn, int layer_idx = 0) {
  return {.per_head = gnn.gnn_mode == GNNMode::per_head,
          .gnn = graph_network_options(gnn),
          .adjacency = graph_adjacency_options(gnn),
          .edge_direction = *gnn.switches().edge_direction,
          .adj_transform_hidden_dim = gnn.adj_transform_hidden_dim,
          .learnable_softmax = gnn.learnable_aggregate_activation == AggregateActivation::softmax,
          .use_layer_norm = gnn.use_layer_norm,
          .rms_norm_eps = gnn.rms_norm_eps,
          .per_head_ff = gnn.per_head_ff,
          .norm_to_hidden_states = gnn.norm_to_hidden_states,
          .norm_zero_guard = *gnn.switches().norm_zero_guard,
          .add_rope = gnn.add_rope,
          .add_rope_per_head = *gnn.switches().add_rope_per_head,
          .lambda = gnn.lambda_GNN,
          .lambda_initial = gnn.lambda_GNN_initial,
          .layer_index = layer_idx,
          .layers = llama.num_hidden_layers,
          .hidden_size = llama.hidden_size,
          .heads = llama.num_attention_heads};
}

/// The options of the decoder layer itself.
inline GraphDecoderLayerOptions layer_options(const LlamaConfig& llama, const GNNConfig& gnn) {
  return {.gnn_logic = gnn.gnn_logic,
          .use_original_hidden_states = gnn.use_original_hidden_states,
          .mlp_uses_weights = uses_adjacency(gnn.MLP_type),
          .rms_norm_eps = llama.rms_norm_eps,
          .hidden_size = llama.hidden_size};
}

/// The options of what surrounds the layers, with every extent given; `padding_id` is -1 where there is none.
inline CausalLMOptions model_options(const LlamaConfig& llama, const GNNConfig& gnn = {}) {
  return {.rms_norm_eps = llama.rms_norm_eps,
          .rope_theta = llama.rope_theta,
          .rope_scaling = llama.rope_scaling,
          .max_position_embeddings = llama.max_position_embeddings,
          .tie_word_embeddings = llama.tie_word_embeddings && *gnn.switches().tie_on_construct,
          .initializer_range = llama.initializer_range,
          .padding_id = llama.pad_token_id.empty() ? -1 : *llama.pad_token_id.begin(),
          .eos_token_id = llama.eos_token_id,
          .vocab_size = llama.vocab_size,
          .hidden_size = llama.hidden_size};
}

}  // namespace weft
