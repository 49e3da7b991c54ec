// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every attention layer gets beside the hidden states.
#pragma once

#include "weft/tensor/tensor.hpp"

namespace weft {

/// What one decoder layer remembers of a text: the keys and values of its attention, [batch, capacity, width] each, what its
/// feed-forward block leaves where that works on an adjacency, and what its graph network sends from token to token (see
/// `RowCache`). Part of a `KVCache`.
template <class T>
struct CachedKeysValues {
  T* keys = nullptr;
  T* values = nullptr;
  Index capacity = 0;   ///< tokens that fit
  Index length = 0;     ///< tokens already there
  Index key_width = 0;  ///< kv_heads * head_dim
  Index value_width = 0;
  T* block = nullptr;  ///< of the feed-forward block; null: it remembers nothing
  T* graph = nullptr;  ///< of the graph network, the same

  explicit operator bool() const { return keys != nullptr; }
};

/// The inputs of an attention layer that all layers of a model share, as views: plain and cheap to copy.
template <class T>
struct AttentionInputs {
  /// Rotary tables [1 or batch, tokens, head_dim]; see RotaryEmbedding.
  TensorView<const T, Shape<Dyn, Dyn, Dyn>> cos;
  TensorView<const T, Shape<Dyn, Dyn, Dyn>> sin;

  /// Token i sees tokens 0..i only. With neither this nor a mask, attention is bidirectional (quirk A30 of the reference).
  bool causal = false;

  /// Hugging Face's padding mask [batch, keys]: 1 = token, 0 = padding. Null: no padding.
  const std::int32_t* key_valid = nullptr;

  /// Packed sequences [batch, tokens]: the first token of each token's own sequence, before which it sees nothing. Null: one
  /// sequence a row. Needs `causal`, excludes `key_valid`; see PackedSequences.
  const std::int32_t* first_key = nullptr;

  /// An additive mask [1 or batch, 1, 1 or tokens, keys or more], added to the scores in the tensor's precision; columns
  /// beyond the keys are left out. Empty: none. See `causal_mask`.
  TensorView<const T, Shape<Dyn, 1, Dyn, Dyn>> additive_mask;

  /// Whether a mask of any kind but `first_key` is given.
  bool masked() const { return causal || key_valid != nullptr || additive_mask.data() != nullptr; }

  /// For a graph network beside the attention: [batch, 1 or heads, tokens, tokens], added to its adjacency behind the causal
  /// cut, neither masked nor causal (see `shape_adjacency`), but for packed sequences kept apart. Empty: nothing.
  TensorView<const T, Shape<Dyn, Dyn, Dyn, Dyn>> additional_adj;

  /// Decoding: keys and values of the earlier tokens. Empty otherwise.
  CachedKeysValues<T> cache;
};

}  // namespace weft
