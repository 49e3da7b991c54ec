// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tokens that are cut out of a text before anything else happens to it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weft/tokenizers/text_section.hpp"

namespace weft {

/// An entry of `added_tokens` in tokenizer.json.
struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool lstrip = false;      ///< takes the white space before it too
  bool rstrip = false;      ///< takes the white space after it too
  bool normalized = false;  ///< looked for after normalisation, and not in the text as it was given
  bool special = false;     ///< left out by `decode` on request
};

namespace detail {

/// Finds tokens in a text: at each place the longest, from left to right.
class AddedTokenFinder {
 public:
  AddedTokenFinder() = default;
  explicit AddedTokenFinder(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const std::string& content = tokens_[i].content;
      if (content.empty()) continue;  // normalised away: it is nowhere
      by_content_.emplace(content, i);
      auto& lengths = lengths_[static_cast<unsigned char>(content[0])];
      lengths.push_back(content.size());
    }
    for (auto& lengths : lengths_) {
      std::sort(lengths.begin(), lengths.end(), std::greater<>());
      lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
    }
  }

  /// Calls `on_text(section)` for what lies between tokens, where it is not empty, and `on_token(token, section)`.
  /// \param without_special  special tokens are text, all of it: no token is looked for inside of them
  template <class OnText, class OnToken>
  void split(const TextSection& section, OnText&& on_text, OnToken&& on_token, bool without_special = false) const {
    const std::string_view text = section.text();
    std::size_t done = 0;
    for (std::size_t at = tokens_.empty() ? text.size() : 0; at < text.size();) {
      const AddedToken* token = at_front(text.substr(at));
      if (token == nullptr || (without_special && token->special)) {
        at += token == nullptr ? 1 : token->content.size();
        continue;
      }
      const std::size_t begin = token->lstrip && at > done ? before_space(text, done, at) : at;
      if (begin > done) on_text(section.part(done, begin - done));
      at += token->content.size();  // in what it strips there may be a token again
      done = token->rstrip ? after_space(text, at) : at;
      on_token(*token, section.part(begin, done - begin));
    }
    if (done < text.size()) on_text(section.part(done, text.size() - done));
  }

 private:
  const AddedToken* at_front(std::string_view text) const {
    for (const std::size_t length : lengths_[static_cast<unsigned char>(text[0])]) {
      if (length > text.size()) continue;
      const auto found = by_content_.find(text.substr(0, length));
      if (found != by_content_.end()) return &tokens_[found->second];
    }
    return nullptr;
  }

  static std::size_t after_space(std::string_view text, std::size_t at) {
    while (at < text.size()) {
      const auto character = first_character(text.substr(at));
      if (!is_white_space(character.point)) break;
      at += character.length;
    }
    return at;
  }

  static std::size_t before_space(std::string_view text, std::size_t from, std::size_t at) {
    while (at > from) {
      std::size_t begin = at - 1;
      while (begin > from && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) --begin;
      if (!is_white_space(first_character(text.substr(begin)).point)) break;
      at = begin;
    }
    return at;
  }

  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>> by_content_;
  std::array<std::vector<std::size_t>, 256> lengths_;  ///< of the tokens that begin with this byte, longest first
};

}  // namespace detail
}  // namespace weft
