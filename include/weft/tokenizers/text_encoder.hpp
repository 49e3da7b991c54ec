// SPDX-License-Identifier: Apache-2.0
/// \file
/// One text on its way through the parts of a tokenizer.
#pragma once

#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "weft/tokenizers/tokenizer_parts.hpp"

namespace weft::detail {

/// Encodes one text, once. Words that come again are looked up.
class TextEncoder {
 public:
  /// \param with_offsets  whether `Encoding::offsets` is filled, which takes memory where a normaliser changes the text
  /// \param split_special  whether special tokens in the text are text
  TextEncoder(const TokenizerParts& parts, std::string_view text, bool with_offsets, bool split_special = false)
      : parts_(parts),
        text_(text),
        with_offsets_(with_offsets),
        split_special_(split_special),
        texts_(with_offsets || parts.pre_tokenizer.needs_origins(), text.size()) {}

  Encoding operator()() {
    parts_.in_given_text.split(
        valid_section(texts_, text_), [&](const TextSection& section) { append_given(section); },
        [&](const AddedToken& token, const TextSection& section) { append(token, section); }, split_special_);
    return std::move(encoding_);
  }

 private:
  void append_given(const TextSection& section) {
    parts_.in_normalized_text.split(
        parts_.normalizer(texts_, section), [&](const TextSection& rest) { append_words(rest); },
        [&](const AddedToken& token, const TextSection& rest) { append(token, rest); }, split_special_);
  }

  void append_words(const TextSection& section) {
    words_.clear();
    parts_.pre_tokenizer(texts_, section, words_);
    for (TextSection word : words_) {
      while (!word.empty()) {
        const std::size_t length = parts_.model.first_part(word.text());
        append(word.part(0, length));
        word = word.part(length, word.text().size() - length);
      }
    }
  }

  void append(const AddedToken& token, const TextSection& section) {
    encoding_.ids.push_back(token.id);
    if (with_offsets_) encoding_.offsets.push_back(section.origin(0, section.text().size()));
  }

  void append(const TextSection& word) {
    const auto [begin, end] = tokens_of(word.text());
    for (std::size_t i = begin; i < end; ++i) {
      const WordToken& token = tokens_[i];
      encoding_.ids.push_back(token.id);
      if (with_offsets_) encoding_.offsets.push_back(word.origin(token.begin, token.end));
    }
  }

  /// Where the tokens of a word are in `tokens_`.
  std::pair<std::size_t, std::size_t> tokens_of(std::string_view word) {
    const auto [known, is_new] = known_.try_emplace(word);
    if (is_new) {
      const std::size_t begin = tokens_.size();
      parts_.model.encode(word, tokens_);
      known->second = {begin, tokens_.size()};
    }
    return known->second;
  }

  const TokenizerParts& parts_;
  std::string_view text_;
  bool with_offsets_;
  bool split_special_;
  DerivedTexts texts_;
  PreTokenizer::Words words_;
  std::vector<WordToken> tokens_;
  std::unordered_map<std::string_view, std::pair<std::size_t, std::size_t>> known_;
  Encoding encoding_;
};

}  // namespace weft::detail
