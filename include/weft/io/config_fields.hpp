// SPDX-License-Identifier: Apache-2.0
/// \file
/// The names that the fields of a configuration have in `config.json`.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

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
constexpr void visit_llama_fields(Config& config, Visit&& visit) {
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

/// Calls `visit(name, field)` for the numbers that a type of rotary scaling reads; `type` itself is not among them.
template <class Scaling, class Visit>
constexpr void visit_rope_fields(Scaling& scaling, Visit&& visit) {
  if (scaling.type == RopeType::standard) return;
  visit("factor", scaling.factor);
  if (scaling.type != RopeType::llama3) return;
  visit("low_freq_factor", scaling.low_freq_factor);
  visit("high_freq_factor", scaling.high_freq_factor);
  visit("original_max_position_embeddings", scaling.original_max_position_embeddings);
}

/// The place of a name in a list, or -1.
inline int find_name(std::string_view name, std::span<const std::string_view> names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<int>(i);
  }
  return -1;
}

/// Finds the value of an enumeration under another name, which other versions of a file use for it; -1 where there is none.
using FindOtherName = int (*)(std::string_view name);

inline int other_hidden_act(std::string_view name) {
  if (name == "swish") return static_cast<int>(HiddenAct::silu);
  if (name == "gelu_python") return static_cast<int>(HiddenAct::gelu);
  for (const std::string_view by_tanh : {"gelu_new", "gelu_fast", "gelu_accurate", "gelu_python_tanh"}) {
    if (name == by_tanh) return static_cast<int>(HiddenAct::gelu_pytorch_tanh);
  }
  return -1;
}

/// The reference lowers the letters of this one.
inline int other_gnn_activation(std::string_view name) {
  std::string lower(name);
  for (char& letter : lower) letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  return find_name(lower, enum_names<GNNActivation>);
}

template <class Enum>
inline constexpr FindOtherName find_other_name = nullptr;
template <>
inline constexpr FindOtherName find_other_name<HiddenAct> = other_hidden_act;
template <>
inline constexpr FindOtherName find_other_name<GNNActivation> = other_gnn_activation;

/// What the reference takes every unknown name for, where it takes it for something (quirk C3); -1 elsewhere.
template <class Enum>
inline constexpr int meaning_of_unknown_name = -1;
template <>
inline constexpr int meaning_of_unknown_name<GNNFromAttention> = static_cast<int>(GNNFromAttention::none);
template <>
inline constexpr int meaning_of_unknown_name<MLPType> = static_cast<int>(MLPType::standard_MLP);
template <>
inline constexpr int meaning_of_unknown_name<GINMode> = static_cast<int>(GINMode::standard);
template <>
inline constexpr int meaning_of_unknown_name<DistanceScaling> = static_cast<int>(DistanceScaling::linear);

/// An enumeration without its type.
struct EnumTable {
  std::span<const std::string_view> names;
  FindOtherName find_other_name;
  int meaning_of_unknown_name;
};
template <NamedEnum Enum>
inline constexpr EnumTable enum_table{enum_names<Enum>, find_other_name<Enum>, meaning_of_unknown_name<Enum>};

}  // namespace weft::detail
