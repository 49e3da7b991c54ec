// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where a long word may be cut without changing its tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "weft/tensor/utf8.hpp"

namespace weft::detail {

/// Which characters stand beside each other inside of some token. No merge ever joins two others, so between them a
/// word falls into parts that have nothing to do with each other: a text without a pre-tokenizer, which is one word,
/// falls into its words of everyday.
class WordCuts {
 public:
  /// Notes a token of the vocabulary.
  void add(std::string_view token) {
    char32_t before = kNone;
    while (!token.empty()) {
      const auto character = first_character(token);
      if (token.size() == character.length && before == kNone) single_.insert(character.point);
      if (before != kNone) neighbours_.insert(pair(before, character.point));
      before = character.point;
      token.remove_prefix(character.length);
    }
  }

  /// The length of the first part of a word. A cut lies between characters that are tokens, so that what is done with
  /// others, bytes or a token for all unknown ones together, is done to all of them in one part.
  std::size_t first_part(std::string_view word) const {
    if (word.size() <= kShort) return word.size();
    auto left = first_character(word);
    std::size_t at = left.length;
    while (at < word.size()) {
      const auto right = first_character(word.substr(at));
      const bool cut = single_.contains(left.point) && single_.contains(right.point) &&
                       !neighbours_.contains(pair(left.point, right.point));
      if (cut) return at;
      left = right;
      at += right.length;
    }
    return at;
  }

 private:
  static constexpr std::size_t kShort = 64;  ///< bytes up to which nothing is gained
  static constexpr char32_t kNone = 0xFFFFFFFF;

  static std::uint64_t pair(char32_t left, char32_t right) { return std::uint64_t{left} << 32 | right; }

  std::unordered_set<char32_t> single_;
  std::unordered_set<std::uint64_t> neighbours_;
};

}  // namespace weft::detail
