// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a model remembers of a text while it continues it.
#pragma once

#include <vector>

#include "weft/attention/attention_inputs.hpp"
#include "weft/tensor/tensor.hpp"

namespace weft {

/// The keys and values of every layer, and the rows that its feed-forward block and its graph network want to see again, for up
/// to `capacity` tokens of `batch` texts. All memory is taken here, once.
template <class T>
class KVCache {
 public:
  /// \param block_width  values that a token leaves for the feed-forward block, see `RowCache`
  /// \param graph_width  values that it leaves for the graph network
  KVCache(Index layers, Index batch, Index capacity, Index key_width, Index value_width, Index block_width = 0,
          Index graph_width = 0)
      : memory_(memory_shape(layers, batch, capacity, key_width + value_width + block_width + graph_width)),
        batch_(batch) {
    T* next = memory_.data();
    for (Index layer = 0; layer < layers; ++layer) {
      T* keys = next;
      T* values = keys + batch * capacity * key_width;
      T* block = values + batch * capacity * value_width;
      T* graph = block + batch * capacity * block_width;
      next = graph + batch * capacity * graph_width;
      layers_.push_back({keys, values, capacity, 0, key_width, value_width, block_width > 0 ? block : nullptr,
                         graph_width > 0 ? graph : nullptr});
    }
  }

  /// What one layer needs to know.
  const CachedKeysValues<T>& layer(Index index) const { return layers_[static_cast<std::size_t>(index)]; }

  Index batch() const { return batch_; }
  Index capacity() const { return layers_.front().capacity; }

  /// Tokens remembered so far.
  Index length() const { return layers_.front().length; }

  /// Refuses tokens that would not fit; the cache stays as it is.
  void expect_room_for(Index tokens) const {
    if (tokens > capacity() - length()) {
      fail(concat("KVCache: ", tokens, " more tokens do not fit: ", length(), " of ", capacity(), " are taken"));
    }
  }

  /// Counts tokens that every layer has written.
  void advance(Index tokens) { set_length(length() + tokens); }

  /// Forgets everything after the first `tokens` tokens: to start anew (0), or to try another continuation.
  void truncate(Index tokens) {
    if (tokens < 0 || tokens > length()) {
      fail(concat("KVCache: truncate(tokens) needs 0 <= tokens <= ", length(), ", found ", tokens));
    }
    set_length(tokens);
  }

 private:
  using MemoryShape = Shape<Dyn, Dyn, Dyn, Dyn>;

  /// Checked before memory is taken; that it can be addressed is the tensor's own check.
  static MemoryShape memory_shape(Index layers, Index batch, Index capacity, Index width) {
    if (layers < 1 || batch < 1 || capacity < 1) {
      fail(concat("KVCache: layers, batch and capacity must be positive, found ", layers, ", ", batch, ", ", capacity));
    }
    return MemoryShape(layers, batch, capacity, width);
  }

  void set_length(Index length) {
    for (CachedKeysValues<T>& layer : layers_) layer.length = length;
  }

  Tensor<T, MemoryShape> memory_;
  std::vector<CachedKeysValues<T>> layers_;
  Index batch_;
};

}  // namespace weft
