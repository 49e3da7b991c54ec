// SPDX-License-Identifier: Apache-2.0
/// \file
/// The configuration of a Llama, field for field Hugging Face's `LlamaConfig`.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>

#include "weft/layers/rope_scaling.hpp"
#include "weft/models/enum_names.hpp"
#include "weft/tensor/error.hpp"

namespace weft {

/// Nonlinearity of the MLP. `gelu` is the exact erf form, `gelu_pytorch_tanh` its tanh approximation, `linear` none.
enum class HiddenAct { silu, gelu, gelu_pytorch_tanh, relu, sigmoid, tanh, linear };
template <>
inline constexpr std::array<std::string_view, 7> enum_names<HiddenAct>{
    "silu", "gelu", "gelu_pytorch_tanh", "relu", "sigmoid", "tanh", "linear"};

template <>
inline constexpr std::array<std::string_view, 4> enum_names<RopeType>{"default", "linear", "dynamic", "llama3"};

/// The token ids that share one role: usually none or one; Llama 3 ends a text with any of three.
class TokenIds {
 public:
  static constexpr std::size_t capacity = 8;

  constexpr TokenIds() = default;
  constexpr TokenIds(int id) : TokenIds({id}) {}
  constexpr TokenIds(std::initializer_list<int> ids) {
    for (const int id : ids) push_back(id);
  }

  /// Raises Error beyond `capacity` ids.
  constexpr void push_back(int id) {
    if (size_ == capacity) fail(concat("TokenIds: at most ", capacity, " ids, found one more: ", id));
    ids_[size_++] = id;
  }

  constexpr bool contains(int id) const { return std::find(begin(), end(), id) != end(); }
  constexpr bool empty() const { return size_ == 0; }
  constexpr std::size_t size() const { return size_; }
  constexpr const int* begin() const { return ids_.data(); }
  constexpr const int* end() const { return ids_.data() + size_; }
  constexpr bool operator==(const TokenIds&) const = default;

 private:
  std::array<int, capacity> ids_{};
  std::size_t size_ = 0;
};

/// A Llama by numbers. Names, order and defaults are those of `LlamaConfig` in Hugging Face transformers, so that a
/// designated initialiser reads like `config.json`:
///
///     static constexpr weft::LlamaConfig llama{.vocab_size = 300, .hidden_size = 560, .num_attention_heads = 8};
///
/// Extents are `int`, because they become template arguments.
struct LlamaConfig {
  int vocab_size = 32000;
  int hidden_size = 4096;
  int intermediate_size = 11008;  ///< width of the MLP
  int num_hidden_layers = 32;
  int num_attention_heads = 32;
  int num_key_value_heads = 0;  ///< 0: as many as there are query heads; see `kv_heads()`
  int head_dim = 0;             ///< 0: hidden_size / num_attention_heads; see `head_size()`
  HiddenAct hidden_act = HiddenAct::silu;
  int max_position_embeddings = 2048;  ///< where the `dynamic` scaling of positions begins; else no limit
  double initializer_range = 0.02;     ///< standard deviation of new weights
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;  ///< the output layer uses the embedding's weight
  double rope_theta = 10000.0;       ///< base of the rotary frequencies
  RopeScaling rope_scaling{};
  bool attention_bias = false;  ///< biases in q_proj, k_proj, v_proj, o_proj
  double attention_dropout = 0.0;
  bool mlp_bias = false;      ///< biases in gate_proj, up_proj, down_proj
  TokenIds pad_token_id{};    ///< none, or the id whose embedding starts as 0, without a gradient
  TokenIds bos_token_id = 1;  ///< begins a text
  TokenIds eos_token_id = 2;  ///< any of these ends a text for `generate`

  /// The row of the embedding that is padding, or -1: an id below 0 counts from the end.
  constexpr int padding_row() const {
    if (pad_token_id.empty()) return -1;
    const int id = *pad_token_id.begin();
    return id < 0 ? id + vocab_size : id;
  }
  constexpr int kv_heads() const { return num_key_value_heads != 0 ? num_key_value_heads : num_attention_heads; }
  constexpr int head_size() const {
    return head_dim != 0 || num_attention_heads <= 0 ? head_dim : hidden_size / num_attention_heads;
  }

  constexpr bool operator==(const LlamaConfig&) const = default;
};

}  // namespace weft
