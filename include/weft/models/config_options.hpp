// SPDX-License-Identifier: Apache-2.0
/// \file
/// From configurations, as files have them, to the options of each layer.
#pragma once

#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_gin.hpp"
#include "weft/models/causal_lm.hpp"
#include "weft/models/config.hpp"
#include "weft/ops/activation/activation.hpp"

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
inline ThresholdOptions threshold_options(const GNNConfig& gnn) {
  return {.mode = gnn.attention_GIN_MLP_GIN_threshold_mode,
          .binary_scale = gnn.attention_GIN_MLP_GIN_binary_scale,
          .softplus_beta = gnn.attention_GIN_MLP_GIN_sharp_softplus_beta,
          .sigmoid_beta = gnn.attention_GIN_MLP_GIN_sharp_softplus_beta,
          .top_k_fraction = gnn.attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length};
}

/// The options of GIN attention, with every extent given; `layer_idx` counts decoder layers from 0.
inline LlamaAttentionGINOptions gin_options(const LlamaConfig& llama, const GNNConfig& gnn, int layer_idx = 0) {
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
          .gin = {.rms_norm_eps = llama.rms_norm_eps, .dropout_rate = gnn.dropout_rate},
          .hidden_size = llama.hidden_size,
          .heads = llama.num_attention_heads,
          .key_value_heads = llama.kv_heads(),
          .head_dim = llama.head_size()};
}

/// The options of what surrounds the layers, with every extent given; `padding_id` is -1 where there is none.
inline CausalLMOptions model_options(const LlamaConfig& llama) {
  return {.rms_norm_eps = llama.rms_norm_eps,
          .rope_theta = llama.rope_theta,
          .rope_scaling = llama.rope_scaling,
          .max_position_embeddings = llama.max_position_embeddings,
          .tie_word_embeddings = llama.tie_word_embeddings,
          .initializer_range = llama.initializer_range,
          .padding_id = llama.pad_token_id.empty() ? -1 : *llama.pad_token_id.begin(),
          .vocab_size = llama.vocab_size,
          .hidden_size = llama.hidden_size};
}

}  // namespace weft
