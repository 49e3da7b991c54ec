// SPDX-License-Identifier: Apache-2.0
/// \file
/// Text to train on, and its bytes as tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/json_text.hpp"
#include "weft/io/text_file.hpp"

namespace weft {

/// The tokens of a byte-level model: one of 256 for each byte.
inline std::vector<std::int32_t> bytes_as_tokens(std::string_view text) {
  std::vector<std::int32_t> tokens;
  tokens.reserve(text.size());
  for (const char byte : text) tokens.push_back(static_cast<unsigned char>(byte));
  return tokens;
}

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
