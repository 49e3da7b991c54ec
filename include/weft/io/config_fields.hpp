// SPDX-License-Identifier: Apache-2.0
/// \file
/// The names that the fields of a configuration have in `config.json`.
#pragma once

#include <string_view>
#include <type_traits>

#include "weft/models/config.hpp"

namespace weft::detail {

/// An extent that is null in files where it is 0 in the struct: derived from the others.
template <class Int>
struct DerivedExtent {
  Int& value;
};
template <class Int>
DerivedExtent(Int&) -> DerivedExtent<Int>;

/// Calls `visit(name, field)` for every field but `rope_scaling`, whose form in files is its own.
template <class Config, class Visit>
void visit_llama_fields(Config& config, Visit&& visit) {
  visit("vocab_size", config.vocab_size);
  visit("hidden_size", config.hidden_size);
  visit("intermediate_size", config.intermediate_size);
  visit("num_hidden_layers", config.num_hidden_layers);
  visit("num_attention_heads", config.num_attention_heads);
  visit("num_key_value_heads", DerivedExtent{config.num_key_value_heads});
  visit("head_dim", DerivedExtent{config.head_dim});
  visit("hidden_act", config.hidden_act);
  visit("max_position_embeddings", config.max_position_embeddings);
  visit("initializer_range", config.initializer_range);
  visit("rms_norm_eps", config.rms_norm_eps);
  visit("tie_word_embeddings", config.tie_word_embeddings);
  visit("rope_theta", config.rope_theta);
  visit("attention_bias", config.attention_bias);
  visit("attention_dropout", config.attention_dropout);
  visit("mlp_bias", config.mlp_bias);
  visit("pad_token_id", config.pad_token_id);
  visit("bos_token_id", config.bos_token_id);
  visit("eos_token_id", config.eos_token_id);
}

/// Calls `visit(name, field)` for every field.
template <class Config, class Visit>
void visit_gnn_fields(Config& config, Visit&& visit) {
  visit("use_GNN_from_attention", config.use_GNN_from_attention);
  visit("residual_epsilon_uniform_value", config.residual_epsilon_uniform_value);
  visit("attention_GIN_MLP_multiplier", config.attention_GIN_MLP_multiplier);
  visit("initial_sharpening_value", config.initial_sharpening_value);
  visit("use_sharpening", config.use_sharpening);
  visit("MLP_type", config.MLP_type);
  visit("attention_GIN_MLP_GIN_learnable_threshold", config.attention_GIN_MLP_GIN_learnable_threshold);
  visit("attention_GIN_MLP_GIN_threshold_value", config.attention_GIN_MLP_GIN_threshold_value);
  visit("attention_GIN_MLP_GIN_threshold_mode", config.attention_GIN_MLP_GIN_threshold_mode);
  visit("attention_GIN_MLP_GIN_binary_scale", config.attention_GIN_MLP_GIN_binary_scale);
  visit("attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length",
        config.attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length);
  visit("attention_GIN_MLP_scoring_hidden_dim", config.attention_GIN_MLP_scoring_hidden_dim);
  visit("attention_GIN_MLP_GIN_use_softmax", config.attention_GIN_MLP_GIN_use_softmax);
  visit("attention_GIN_MLP_GIN_softmax_temperature", config.attention_GIN_MLP_GIN_softmax_temperature);
  visit("attention_GIN_MLP_GIN_sharp_softplus_beta", config.attention_GIN_MLP_GIN_sharp_softplus_beta);
  visit("attention_GIN_MLP_GIN_mode", config.attention_GIN_MLP_GIN_mode);
  visit("use_differential_attention_group_norm", config.use_differential_attention_group_norm);
  visit("attention_GIN_MLP_use_scoring_fnct", config.attention_GIN_MLP_use_scoring_fnct);
  visit("sharpening_value_init", config.sharpening_value_init);
  visit("use_differential_attention", config.use_differential_attention);
  visit("attention_GIN_MLP_o_proj_at_end", config.attention_GIN_MLP_o_proj_at_end);
  visit("gnn_mode", config.gnn_mode);
  visit("use_original_hidden_states", config.use_original_hidden_states);
  visit("gnn_logic", config.gnn_logic);
  visit("dropout_rate", config.dropout_rate);
}

/// Calls `visit(name, field)` for the numbers that a type of rotary scaling reads; `type` itself is not among them.
template <class Scaling, class Visit>
void visit_rope_fields(Scaling& scaling, Visit&& visit) {
  if (scaling.type == RopeType::standard) return;
  visit("factor", scaling.factor);
  if (scaling.type != RopeType::llama3) return;
  visit("low_freq_factor", scaling.low_freq_factor);
  visit("high_freq_factor", scaling.high_freq_factor);
  visit("original_max_position_embeddings", scaling.original_max_position_embeddings);
}

/// Names that other versions of a file use for a value.
template <class Enum>
constexpr bool read_other_name(std::string_view, Enum&) {
  return false;
}
constexpr bool read_other_name(std::string_view name, HiddenAct& act) {
  if (name == "swish") return act = HiddenAct::silu, true;
  if (name == "gelu_new") return act = HiddenAct::gelu_pytorch_tanh, true;
  return false;
}

/// Fields where the reference takes every unknown name for its default, and says so.
template <class Enum>
inline constexpr bool unknown_name_is_default =
    std::is_same_v<Enum, GNNFromAttention> || std::is_same_v<Enum, MLPType> || std::is_same_v<Enum, GINMode>;

}  // namespace weft::detail
