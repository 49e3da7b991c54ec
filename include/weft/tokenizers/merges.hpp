// SPDX-License-Identifier: Apache-2.0
/// \file
/// The merges of byte-pair encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "weft/tokenizers/position_index.hpp"

namespace weft::detail {

/// Two tokens by their numbers, and what they become.
struct Merge {
  std::int32_t left;
  std::int32_t right;
  std::int32_t merged;
};

/// Merges by their pair; the rank of one is its place in the list.
class Merges {
 public:
  Merges() = default;

  /// \param merges  the first to be applied first; of equal pairs the last counts
  explicit Merges(std::vector<Merge> merges) : merges_(std::move(merges)), by_pair_(merges_.size()) {
    for (std::size_t rank = 0; rank < merges_.size(); ++rank) {
      const Merge& merge = merges_[rank];
      const IsOf is_of{merges_, merge.left, merge.right};
      by_pair_.place(hash(merge.left, merge.right), is_of) = static_cast<std::uint32_t>(rank);
    }
  }

  static constexpr std::uint32_t kNone = PositionIndex::kNone;

  /// The rank of a pair's merge; kNone where there is none.
  std::uint32_t rank(std::int32_t left, std::int32_t right) const {
    return by_pair_.find(hash(left, right), IsOf{merges_, left, right});
  }

  const Merge& operator[](std::uint32_t rank) const { return merges_[rank]; }

 private:
  static std::size_t hash(std::int32_t left, std::int32_t right) {
    return hash_of_number(std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right));
  }

  /// Whether a merge is that of a pair.
  struct IsOf {
    const std::vector<Merge>& merges;
    std::int32_t left;
    std::int32_t right;
    bool operator()(std::uint32_t i) const { return merges[i].left == left && merges[i].right == right; }
  };

  std::vector<Merge> merges_;
  PositionIndex by_pair_;
};

}  // namespace weft::detail
