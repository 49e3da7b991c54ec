// SPDX-License-Identifier: Apache-2.0
/// \file
/// From configurations, as files have them, to the options of each layer.
#pragma once

#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_gin_options.hpp"
#include "weft/attention/llama_attention_pna_options.hpp"
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
    case HiddenAct::linear:
      return Activation::identity;
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
          .padding_id = llama.padding_row(),
          .eos_token_id = llama.eos_token_id,
          .vocab_size = llama.vocab_size,
          .hidden_size = llama.hidden_size};
}

}  // namespace weft
