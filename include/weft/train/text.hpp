// SPDX-License-Identifier: Apache-2.0
/// \file
/// Text to train on, and its bytes as tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/text_file.hpp"
#include "weft/models/byte_tokenizer.hpp"

namespace weft {

namespace detail {

/// The bytes of the character that `text` begins with, 0 when it is not UTF-8: shortest form only, no surrogates, at most
/// U+10FFFF (RFC 3629).
inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  const unsigned second = byte(1);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool shortest = first != 0xE0 || second >= 0xA0;
    const bool surrogate = first == 0xED && second >= 0xA0;
    return shortest && !surrogate && follows(1) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool in_range = (first != 0xF0 || second >= 0x90) && (first != 0xF4 || second <= 0x8F);
    return in_range && follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace detail

/// The tokens of a byte-level model: one of 256 for each byte.
inline std::vector<std::int32_t> bytes_as_tokens(std::string_view text) { return ByteTokenizer{}.encode(text); }

/// Where `text` stops being UTF-8; `std::string_view::npos` if it never does.
inline std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t length = detail::utf8_length(text.substr(offset));
    if (length == 0) return offset;
    offset += length;
  }
  return std::string_view::npos;
}

/// A text file to train on. Raises Error when it is missing, no file, empty, or not UTF-8 (naming the first bad byte).
inline std::string read_corpus(const std::string& path) {
  std::string text = read_text(path);
  if (text.empty()) fail(concat("cannot train on ", path, ": it is empty"));
  const std::size_t invalid = find_invalid_utf8(text);
  if (invalid != std::string_view::npos) {
    fail(concat("cannot train on ", path, ": it is not UTF-8 at byte ", invalid));
  }
  return text;
}

}  // namespace weft
