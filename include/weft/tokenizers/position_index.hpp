// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where in a list something stands, by its hash.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace weft::detail {

/// A hash table of positions in a list that somebody else keeps: open addressing, linear probing, at most half full. (The
/// standard's tables have a node of its own for each entry: with them the vocabulary and the merges of a tokenizer like Llama 3's,
/// of 128,000 tokens, take three times as long to read.)
class PositionIndex {
 public:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  PositionIndex() : PositionIndex(0) {}
  /// \param count  as many positions as will be put into it at most
  explicit PositionIndex(std::size_t count) : slots_(std::bit_ceil(2 * count + 1), kNone) {}

  bool has_room_for(std::size_t count) const { return 2 * count < slots_.size(); }

  /// The position with this hash that `is_it(position)` says yes to; kNone where there is none.
  template <class IsIt>
  std::uint32_t find(std::size_t hash, IsIt&& is_it) const {
    return slots_[slot_of(hash, is_it)];
  }

  /// The same as a place for the position: what is assigned to it is found from then on.
  template <class IsIt>
  std::uint32_t& place(std::size_t hash, IsIt&& is_it) {
    return slots_[slot_of(hash, is_it)];
  }

 private:
  template <class IsIt>
  std::size_t slot_of(std::size_t hash, IsIt& is_it) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = hash & mask;
    while (slots_[slot] != kNone && !is_it(slots_[slot])) slot = (slot + 1) & mask;
    return slot;
  }

  std::vector<std::uint32_t> slots_;
};

/// For numbers: those that follow each other come to lie apart.
inline std::size_t hash_of_number(std::uint64_t number) { return (number * 0x9E3779B97F4A7C15U) >> 32; }

}  // namespace weft::detail
