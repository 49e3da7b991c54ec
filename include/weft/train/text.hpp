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
#include "weft/tensor/utf8.hpp"

namespace weft {

/// The tokens of a byte-level model: one of 256 for each byte.
inline std::vector<std::int32_t> bytes_as_tokens(std::string_view text) { return ByteTokenizer{}.encode(text); }

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
