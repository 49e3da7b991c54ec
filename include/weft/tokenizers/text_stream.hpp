// SPDX-License-Identifier: Apache-2.0
/// \file
/// Decoding token by token.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tokenizers/byte_symbols.hpp"

namespace weft {

/// Decodes a text that arrives token by token and gives out whole characters only. All that it gives out, joined, is
/// what `decode` makes of all tokens; where the file has a decoder that cannot say before the end, all of it comes
/// then. (One exception: bytes from <0x00> to <0xFF> of which some are a character and later ones of the same run are
/// none; `decode` lets go of the whole run, here the character is out already.)
template <class Tokenizer>
class TextStream {
 public:
  /// \param skip_special_tokens  as in `decode`
  TextStream(const Tokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

  /// The characters that this token completes, often none.
  std::string push(std::int32_t token) {
    if (skip_special_tokens_ && tokenizer_.is_special(token)) return {};
    return tokenizer_.is_byte_level() ? push_bytes(token) : push_token(token);
  }

  /// What is left at the end: U+FFFD for the bytes of an unfinished character.
  std::string finish() {
    const std::string bytes = std::exchange(bytes_, {});
    return tokenizer_.is_byte_level() ? detail::replace_invalid_utf8(bytes) : rest(true);
  }

 private:
  std::string push_bytes(std::int32_t token) {
    bytes_ += detail::bytes_of_symbols(tokenizer_.token(token));
    const std::size_t complete = bytes_.size() - detail::unfinished_bytes(bytes_);
    std::string text = detail::replace_invalid_utf8(std::string_view(bytes_).substr(0, complete));
    bytes_.erase(0, complete);
    return text;
  }

  std::string push_token(std::int32_t token) {
    tokenizer_.token(token);  // refuses what is no token
    window_.push_back(token);
    return tokenizer_.can_stream() ? rest(false) : std::string();
  }

  /// What the tokens that wait add to the text of those before them. How a token reads may depend on the one before
  /// it, so the last tokens that were given out are decoded once more, with and without the new ones.
  std::string rest(bool at_end) {
    const std::span<const std::int32_t> window(window_);
    const std::string before = tokenizer_.decode(window.first(given_out_));
    std::string text = tokenizer_.decode(window);
    if (!at_end && text.ends_with(detail::kReplacementCharacter)) return {};
    text.erase(0, std::min(before.size(), text.size()));
    if (text.empty()) return {};
    window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(given_out_));
    given_out_ = window_.size();
    return text;
  }

  const Tokenizer& tokenizer_;
  bool skip_special_tokens_;
  std::string bytes_;
  std::vector<std::int32_t> window_;
  std::size_t given_out_ = 0;  ///< tokens of the window whose text is out
};

}  // namespace weft
