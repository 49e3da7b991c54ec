// SPDX-License-Identifier: Apache-2.0
/// \file
/// The configuration of a model, and the check that this library can build it.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "weft/models/gnn_config.hpp"
#include "weft/models/llama_config.hpp"
#include "weft/tensor/error.hpp"

namespace weft {

namespace detail {

template <class Value>
std::string config_text(Value value) {
  if constexpr (std::is_same_v<Value, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<Value>) {
    return concat("\"", name_of(value), "\"");
  } else {
    return concat(value);
  }
}

/// One row of a table of rules: unless it holds, an error that names the field, what it holds, and what may stand there.
template <class Value>
constexpr void config_rule(bool holds, std::string_view field, Value found, std::string_view supported) {
  if (!holds) fail(concat(field, " must be ", supported, ", found ", config_text(found)));
}

/// Every id names a row of the embedding.
constexpr void config_rule_ids(const LlamaConfig& llama, std::string_view field, const TokenIds& ids) {
  for (const int id : ids) {
    if (id < 0 || id >= llama.vocab_size) {
      fail(concat(field, " must be at least 0 and below vocab_size ", llama.vocab_size, ", found ", id));
    }
  }
}

constexpr void validate_extents(const LlamaConfig& c) {
  config_rule(c.vocab_size > 0, "vocab_size", c.vocab_size, "positive");
  config_rule(c.hidden_size > 0, "hidden_size", c.hidden_size, "positive");
  config_rule(c.intermediate_size > 0, "intermediate_size", c.intermediate_size, "positive");
  config_rule(c.num_hidden_layers > 0, "num_hidden_layers", c.num_hidden_layers, "positive");
  config_rule(c.num_attention_heads > 0, "num_attention_heads", c.num_attention_heads, "positive");
  config_rule(c.num_key_value_heads >= 0, "num_key_value_heads", c.num_key_value_heads, "positive");
  config_rule(c.head_dim >= 0, "head_dim", c.head_dim, "positive");
  config_rule(c.max_position_embeddings > 0, "max_position_embeddings", c.max_position_embeddings, "positive");
  config_rule(c.head_dim != 0 || c.hidden_size % c.num_attention_heads == 0, "num_attention_heads",
              c.num_attention_heads, "a divisor of hidden_size where head_dim is not given");
  config_rule(c.num_attention_heads % c.kv_heads() == 0, "num_key_value_heads", c.kv_heads(),
              "a divisor of num_attention_heads");
  config_rule(c.head_size() > 0 && c.head_size() % 2 == 0, "head_dim", c.head_size(),
              "even, because the rotary embedding turns pairs");
  config_rule(static_cast<double>(c.num_attention_heads) * c.head_size() < 2147483648.0, "head_dim", c.head_size(),
              "such that num_attention_heads times it is an int");
}

constexpr void validate_rope_scaling(const LlamaConfig& c) {
  const RopeScaling& scaling = c.rope_scaling;
  if (scaling.type == RopeType::standard) return;
  config_rule(scaling.factor >= 1, "rope_scaling.factor", scaling.factor, "at least 1");
  if (scaling.type != RopeType::llama3) return;
  config_rule(scaling.low_freq_factor > 0, "rope_scaling.low_freq_factor", scaling.low_freq_factor, "positive");
  config_rule(scaling.high_freq_factor > scaling.low_freq_factor, "rope_scaling.high_freq_factor",
              scaling.high_freq_factor, "above low_freq_factor");
  config_rule(scaling.original_max_position_embeddings > 0, "rope_scaling.original_max_position_embeddings",
              scaling.original_max_position_embeddings, "positive");
}

constexpr void validate_llama(const LlamaConfig& c) {
  validate_extents(c);
  config_rule(c.initializer_range >= 0, "initializer_range", c.initializer_range, "at least 0");
  config_rule(c.rms_norm_eps >= 0, "rms_norm_eps", c.rms_norm_eps, "at least 0");
  config_rule(c.rope_theta > 0, "rope_theta", c.rope_theta, "positive");
  config_rule(c.attention_dropout >= 0 && c.attention_dropout < 1, "attention_dropout", c.attention_dropout,
              "in [0, 1)");
  config_rule(c.pad_token_id.size() <= 1, "pad_token_id", c.pad_token_id.size(), "one id or none");
  config_rule_ids(c, "pad_token_id", c.pad_token_id);
  config_rule_ids(c, "bos_token_id", c.bos_token_id);
  config_rule_ids(c, "eos_token_id", c.eos_token_id);
  validate_rope_scaling(c);
}

constexpr void validate_gin(const LlamaConfig& c, const GNNConfig& g) {
  config_rule(g.attention_GIN_MLP_GIN_use_softmax, "gnn_config.attention_GIN_MLP_GIN_use_softmax",
              g.attention_GIN_MLP_GIN_use_softmax, "true, all that is supported yet");
  config_rule(g.attention_GIN_MLP_GIN_threshold_mode == ThresholdMode::none,
              "gnn_config.attention_GIN_MLP_GIN_threshold_mode", g.attention_GIN_MLP_GIN_threshold_mode,
              "\"none\", all that is supported yet");
  config_rule(!g.use_differential_attention, "gnn_config.use_differential_attention", g.use_differential_attention,
              "false, all that is supported yet");
  config_rule(!g.attention_GIN_MLP_use_scoring_fnct, "gnn_config.attention_GIN_MLP_use_scoring_fnct",
              g.attention_GIN_MLP_use_scoring_fnct, "false, all that is supported yet");
  config_rule(g.attention_GIN_MLP_GIN_mode == GINMode::standard, "gnn_config.attention_GIN_MLP_GIN_mode",
              g.attention_GIN_MLP_GIN_mode, "\"default\" (the reference has no GINLayer_Var_A)");
  config_rule(g.attention_GIN_MLP_GIN_softmax_temperature > 0, "gnn_config.attention_GIN_MLP_GIN_softmax_temperature",
              g.attention_GIN_MLP_GIN_softmax_temperature, "positive");
  config_rule(g.dropout_rate >= 0 && g.dropout_rate < 1, "gnn_config.dropout_rate", g.dropout_rate, "in [0, 1)");
  const double width = c.head_size() * g.attention_GIN_MLP_multiplier;
  config_rule(width >= 1 && width < 2147483648.0, "gnn_config.attention_GIN_MLP_multiplier",
              g.attention_GIN_MLP_multiplier, "such that head_dim times it is a width");
  // The values of GIN attention are slices of the hidden states, head_dim wide, one for each key-value head.
  config_rule(static_cast<double>(c.kv_heads()) * c.head_size() == c.hidden_size, "num_key_value_heads", c.kv_heads(),
              "hidden_size / head_dim with LlamaAttentionGIN");
  config_rule(g.attention_GIN_MLP_o_proj_at_end || c.kv_heads() == c.num_attention_heads, "num_key_value_heads",
              c.kv_heads(),
              "num_attention_heads with LlamaAttentionGIN unless attention_GIN_MLP_o_proj_at_end is true");
}

constexpr bool attention_is_supported(GNNFromAttention attention) {
  return attention == GNNFromAttention::none || attention == GNNFromAttention::LlamaAttention_Original ||
         attention == GNNFromAttention::LlamaAttentionGIN;
}

constexpr void validate_gnn(const LlamaConfig& c, const GNNConfig& g) {
  config_rule(g.threshold >= 0, "gnn_config.threshold", g.threshold, "at least 0");
  config_rule(g.switches().compute_dtype == ComputeDtype::fp32, "gnn_config.compute_dtype", *g.switches().compute_dtype,
              "\"fp32\": adjacencies have the precision of the model");
  config_rule(attention_is_supported(g.use_GNN_from_attention), "gnn_config.use_GNN_from_attention",
              g.use_GNN_from_attention,
              "\"none\", \"LlamaAttention_Original\" or \"LlamaAttentionGIN\", all that is supported yet");
  config_rule(g.MLP_type == MLPType::standard_MLP, "gnn_config.MLP_type", g.MLP_type,
              "\"standard_MLP\", all that is supported yet");
  config_rule(g.gnn_mode == GNNMode::none, "gnn_config.gnn_mode", g.gnn_mode, "\"none\", all that is supported yet");
  config_rule(!g.use_original_hidden_states, "gnn_config.use_original_hidden_states", g.use_original_hidden_states,
              "false, all that is supported yet");
  config_rule(g.gnn_logic != GNNLogic::parallel_GNN_MLP, "gnn_config.gnn_logic", g.gnn_logic,
              "\"before_MLP\" or \"after_MLP\", all that is supported yet");
  if (g.use_GNN_from_attention == GNNFromAttention::LlamaAttentionGIN) validate_gin(c, g);
}

}  // namespace detail

/// Raises Error unless this library can build such a model; the message names the field, what it holds, and what is
/// supported. Also a constant expression: `static_assert(validate(Scribe::llama, Scribe::gnn))`.
constexpr bool validate(const LlamaConfig& llama, const GNNConfig& gnn = {}) {
  detail::validate_llama(llama);
  detail::validate_gnn(llama, gnn);
  return true;
}

}  // namespace weft
