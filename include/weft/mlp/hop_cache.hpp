// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a feed-forward block with an adjacency remembers of earlier tokens while decoding.
#pragma once

#include <vector>

#include "weft/ops/hop_sum/hop_sum.hpp"

namespace weft {

/// Rows of u, A u and A² u of all tokens so far, heads side by side; layers make it with `make_cache` and fill it with
/// `decode`. Memory: batch * capacity * width * hops values.
template <class T>
class HopCache {
 public:
  HopCache() = default;
  HopCache(Index batch, Index capacity, Index width, Index hops)
      : memory_(static_cast<std::size_t>(batch * capacity * width * hops)),
        level_size_(batch * capacity * width),
        hops_(hops),
        capacity_(capacity) {}

  /// Tokens that it holds.
  Index length() const { return length_; }
  /// Tokens that it has room for.
  Index capacity() const { return capacity_; }

  /// Forgets all tokens.
  void clear() { length_ = 0; }
  /// Counts tokens whose rows have been written at `levels()`.
  void advance(Index tokens) { length_ += tokens; }

  /// Where the rows of each hop lie.
  HopLevels<T> levels() {
    HopLevels<T> result{{}, capacity_, length_};
    for (Index k = 0; k < hops_; ++k) result.levels[static_cast<std::size_t>(k)] = memory_.data() + k * level_size_;
    return result;
  }

 private:
  std::vector<T> memory_;
  Index level_size_ = 0;
  Index hops_ = 0;
  Index capacity_ = 0;
  Index length_ = 0;
};

}  // namespace weft
