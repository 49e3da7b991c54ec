// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a layer remembers of earlier tokens while decoding, beside keys and values.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "weft/ops/head_aggregate/head_aggregate_kernels.hpp"
#include "weft/tensor/shape.hpp"

namespace weft {

/// Rows of all tokens so far, in parts of [batch, capacity, width of the part]: u, A u and A² u of a feed-forward block on an
/// adjacency for example. Layers say with `cache_width` how many values a token leaves in all parts together, and fill them
/// with `decode`. The memory is the cache's own, or a piece of that of a `KVCache`.
template <class T>
class RowCache {
 public:
  RowCache() = default;

  /// With memory of its own.
  RowCache(Index batch, Index capacity, Index width)
      : own_(checked_size(batch, capacity, width)), batch_(batch), capacity_(capacity) {}

  /// In `memory`, of batch * capacity * cache_width values, in which `length` tokens are.
  RowCache(T* memory, Index batch, Index capacity, Index length)
      : lent_(memory), batch_(batch), capacity_(capacity), length_(length) {}

  Index batch() const { return batch_; }
  /// Tokens that it holds.
  Index length() const { return length_; }
  /// Tokens that it has room for.
  Index capacity() const { return capacity_; }

  /// Forgets all tokens.
  void clear() { length_ = 0; }
  /// Counts tokens that every part has; fewer than 0: forgets the last ones.
  void advance(Index tokens) { length_ += tokens; }

  /// An error unless `tokens` more of `batch` texts fit.
  void expect_room_for(std::string_view owner, Index batch, Index tokens) const {
    if (batch != batch_ || tokens > capacity_ - length_) {
      fail(concat(owner, ": the cache is made for ", batch_, " texts of ", capacity_, " tokens, ", length_,
                  " of them taken; found ", tokens, " new ones of ", batch, " texts"));
    }
  }

  /// The part that begins behind `column` values a token.
  T* part(Index column) { return (lent_ != nullptr ? lent_ : own_.data()) + column * batch_ * capacity_; }

  /// Appends the rows of x [batch, new tokens, width] to the part at `column`; all rows that it has then. The tokens count as
  /// there only after `advance`.
  template <class X>
  CachedRows<T> append(const X& x, Index column) {
    const Index tokens = x.extent(1);
    const Index width = x.extent(2);
    T* rows = part(column);
    for (Index b = 0; b < batch_; ++b) {
      std::copy_n(x.data() + b * tokens * width, tokens * width, rows + (b * capacity_ + length_) * width);
    }
    return {rows, batch_, length_ + tokens, width, capacity_};
  }

 private:
  static std::size_t checked_size(Index batch, Index capacity, Index width) {
    return detail::checked_bytes("RowCache", Shape<Dyn, Dyn, Dyn>(batch, capacity, width).extents(), sizeof(T)) /
           sizeof(T);
  }

  std::vector<T> own_;
  T* lent_ = nullptr;
  Index batch_ = 0;
  Index capacity_ = 0;
  Index length_ = 0;
};

}  // namespace weft
