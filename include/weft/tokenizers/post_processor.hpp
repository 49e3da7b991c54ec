// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is done with the tokens of a whole text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tokenizers/byte_symbols.hpp"
#include "weft/tokenizers/text_section.hpp"

namespace weft {

/// The tokens of a text.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<TextRange> offsets;  ///< the bytes of the text that each stands for; empty for tokens that were added
};

namespace detail {

/// Tokens before and after a text (`TemplateProcessing`), and ranges without the white space of tokens (`ByteLevel`).
struct PostProcessor {
  std::vector<std::int32_t> before{};
  std::vector<std::int32_t> after{};
  bool trims_offsets = false;
  bool add_prefix_space = true;  ///< while trimming: a space in front was none of the text

  void surround(std::vector<std::int32_t>& ids) const {
    ids.insert(ids.begin(), before.begin(), before.end());
    ids.insert(ids.end(), after.begin(), after.end());
  }
  void surround(Encoding& encoding) const {
    surround(encoding.ids);
    encoding.offsets.insert(encoding.offsets.begin(), before.size(), TextRange{});
    encoding.offsets.insert(encoding.offsets.end(), after.size(), TextRange{});
  }

  /// The range of a token without the white space at its ends. As many characters of the text go as the token has
  /// spaces; one in front of the text may be none of the text's own.
  TextRange trimmed(std::string_view text, std::string_view token, TextRange range) const {
    std::size_t leading = leading_spaces(token);
    if (leading == 1 && range.begin == 0 && add_prefix_space) leading = 0;
    const auto continues = [&](std::size_t i) {
      return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
    };
    for (; leading > 0 && range.begin < range.end; --leading) {
      do ++range.begin;
      while (range.begin < range.end && continues(range.begin));  // a byte that is no UTF-8 may continue nothing
    }
    for (std::size_t trailing = trailing_spaces(token); trailing > 0 && range.begin < range.end; --trailing) {
      do --range.end;
      while (range.end > range.begin && continues(range.end));
    }
    return range;
  }

 private:
  static bool is_space(char32_t point) { return point == kByteSymbols[' '] || is_white_space(point); }

  static std::size_t leading_spaces(std::string_view token) {
    std::size_t count = 0;
    for (; !token.empty(); ++count) {
      const auto character = first_character(token);
      if (!is_space(character.point)) break;
      token.remove_prefix(character.length);
    }
    return count;
  }

  static std::size_t trailing_spaces(std::string_view token) {
    std::size_t count = 0;
    for (; !token.empty(); ++count) {
      std::size_t begin = token.size() - 1;
      while (begin > 0 && (static_cast<unsigned char>(token[begin]) & 0xC0U) == 0x80U) --begin;
      if (!is_space(first_character(token.substr(begin)).point)) break;
      token.remove_suffix(token.size() - begin);
    }
    return count;
  }
};

}  // namespace detail
}  // namespace weft
