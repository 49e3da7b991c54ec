// SPDX-License-Identifier: Apache-2.0
/// \file
/// The simplest tokenizer: one token for each byte of UTF-8 text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tensor/error.hpp"
#include "weft/tensor/utf8.hpp"

namespace weft {

/// Tokens 0..255 are bytes. Lossless for every text; a vocabulary of 256.
class ByteTokenizer {
 public:
  static constexpr int kVocabSize = 256;

  /// A token for each byte.
  std::vector<std::int32_t> encode(std::string_view text) const {
    std::vector<std::int32_t> tokens;
    tokens.reserve(text.size());
    for (const char byte : text) tokens.push_back(static_cast<unsigned char>(byte));
    return tokens;
  }

  /// A byte for each token. Raises Error for a token outside 0..255.
  template <class Tokens>
  std::string decode(const Tokens& tokens) const {
    std::string text;
    for (const auto token : tokens) text.push_back(byte_of(token));
    return text;
  }

  /// Decodes token by token and gives out whole characters; bytes that cannot become one pass as they are.
  class Stream {
   public:
    /// The characters that this token completes, often none.
    std::string push(std::int32_t token) {
      pending_.push_back(byte_of(token));
      const std::size_t complete = pending_.size() - detail::unfinished_bytes(pending_);
      std::string text = pending_.substr(0, complete);
      pending_.erase(0, complete);
      return text;
    }

    /// What is left at the end: the bytes of an unfinished character.
    std::string finish() { return std::exchange(pending_, {}); }

   private:
    std::string pending_;
  };

  /// A decoder for a text that arrives token by token.
  Stream stream() const { return {}; }

 private:
  static char byte_of(std::int64_t token) {
    if (token < 0 || token >= kVocabSize) fail(concat("ByteTokenizer: a token must be in [0, 256), found ", token));
    return static_cast<char>(static_cast<unsigned char>(token));
  }
};

}  // namespace weft
