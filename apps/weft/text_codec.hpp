// SPDX-License-Identifier: Apache-2.0
/// \file
/// The tokens of a model's texts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tokenizers/tokenizer.hpp"

namespace apps {

/// `path` itself, or the tokenizer.json in it if it is a folder.
std::string tokenizer_path(const std::string& path);

/// Whole numbers of 32 bits between white space, commas or brackets. Raises Error for anything else.
/// \param where  what the text is, for messages
std::vector<std::int32_t> read_ids(std::string_view text, std::string_view where);

/// Raises Error for a number that is no token of a model with such a vocabulary.
void expect_tokens(std::span<const std::int32_t> tokens, std::int64_t vocab_size);

/// "1 2 3"
std::string ids_text(std::span<const std::int32_t> ids);

/// How the texts of a model become tokens: by tokenizer.json if the folder has one, or else as bytes.
class TextCodec {
 public:
  /// Raises Error where the folder has no tokenizer.json and the vocabulary is too small for bytes; where it has room for
  /// more than bytes, a note on standard error says how the text is read.
  /// \param instead  what somebody without a tokenizer can do, for that message
  TextCodec(const std::string& folder, std::int64_t vocab_size, std::string_view instead);

  /// By this tokenizer, or as bytes where there is none.
  explicit TextCodec(std::optional<weft::Tokenizer> tokenizer) : tokenizer_(std::move(tokenizer)) {}

  /// Empty: bytes.
  const std::optional<weft::Tokenizer>& tokenizer() const { return tokenizer_; }

  /// What a model's vocabulary must have at least.
  std::int64_t vocab_size() const;

  std::vector<std::int32_t> encode(std::string_view text) const;

  /// The bytes of text that each of its first `tokens` tokens stands for on average, special ones left out; 0 if there
  /// are no others.
  double bytes_per_token(std::string_view text, std::size_t tokens) const;

  /// A token by itself, for a figure.
  std::string label(std::int32_t token) const;

  /// A decoder for tokens one by one, which gives out whole characters; an empty token is the end. Those beyond
  /// the tokenizer's vocabulary, which models often round up, have no text, and special tokens only if they are kept. This must
  /// outlive it.
  std::function<std::string(std::optional<std::int32_t>)> stream(bool keeps_special = false) const;

 private:
  std::optional<weft::Tokenizer> tokenizer_;
};

}  // namespace apps
