// SPDX-License-Identifier: Apache-2.0
/// \file
/// Byte-pair encoding: from words to tokens by learned merges (Sennrich et al., arXiv 1508.07909).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tokenizers/byte_symbols.hpp"
#include "weft/tokenizers/merges.hpp"
#include "weft/tokenizers/vocabulary.hpp"
#include "weft/tokenizers/word_cuts.hpp"

namespace weft::detail {

/// A token and the bytes of its word that it stands for.
struct WordToken {
  std::int32_t id = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

/// How words become tokens.
struct BPEOptions {
  bool byte_level = false;                 ///< a word's bytes are its first symbols, not its characters
  bool byte_fallback = false;              ///< a character without a token becomes tokens <0x00> to <0xFF>
  bool ignore_merges = false;              ///< a word that is a token is left whole
  bool fuse_unk = false;                   ///< characters without a token that follow each other become one token
  std::optional<std::string> unk_token{};  ///< what stands for them; none: nothing does
};

/// Vocabulary and merges.
class BytePairEncoding {
 public:
  BytePairEncoding() = default;

  BytePairEncoding(Vocabulary vocabulary, Merges merges, BPEOptions options)
      : options_(std::move(options)), vocabulary_(std::move(vocabulary)), merges_(std::move(merges)) {
    for (std::size_t i = 0; cuts_words() && i < vocabulary_.size(); ++i) cuts_.add(vocabulary_.text_at(i));
    for (unsigned byte = 0; byte < 256; ++byte) {
      bytes_[byte] =
          options_.byte_level ? vocabulary_.id_of(byte_symbol(static_cast<unsigned char>(byte))) : fallback_id(byte);
    }
    if (options_.unk_token) unknown_ = vocabulary_.id_of(*options_.unk_token);
  }

  /// Whether every byte has a token that it begins as.
  bool has_all_bytes() const { return std::find(bytes_.begin(), bytes_.end(), kNone) == bytes_.end(); }

  const Vocabulary& vocabulary() const { return vocabulary_; }

  /// The length of the first part of a word that can be encoded on its own, the rest of the word being another.
  std::size_t first_part(std::string_view word) const { return cuts_words() ? cuts_.first_part(word) : word.size(); }

  /// Appends the tokens of a word.
  void encode(std::string_view word, std::vector<WordToken>& tokens) const {
    if (options_.ignore_merges && append_whole(word, tokens)) return;
    std::vector<Symbol> symbols;
    options_.byte_level ? split_bytes(word, symbols) : split_characters(word, symbols);
    merge(symbols);
    for (const Symbol& symbol : symbols) {
      if (symbol.alive) tokens.push_back(symbol.token);
    }
  }

 private:
  static constexpr std::int32_t kNone = -1;

  /// A token in the making, in a list of neighbours.
  struct Symbol {
    WordToken token;
    std::int32_t previous = kNone;
    std::int32_t next = kNone;
    bool alive = true;
  };

  /// A merge that was possible when it was noticed. The lowest rank comes first, of equal ones the leftmost.
  struct Candidate {
    std::uint32_t rank;
    std::int32_t at;
    std::int32_t merged;
    friend bool operator>(const Candidate& a, const Candidate& b) {
      return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
    }
  };
  using Candidates = std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>>;

  /// Byte-level words are short, and `ignore_merges` asks for whole words.
  bool cuts_words() const { return !options_.byte_level && !options_.ignore_merges; }

  std::int32_t fallback_id(unsigned byte) const {
    constexpr std::string_view digits = "0123456789ABCDEF";
    return vocabulary_.id_of({std::string("<0x") + digits[byte >> 4] + digits[byte & 15] + ">"});
  }

  bool append_whole(std::string_view word, std::vector<WordToken>& tokens) const {
    std::string symbols;
    for (const char byte : word) {
      options_.byte_level ? append_utf8(symbols, kByteSymbols[static_cast<unsigned char>(byte)])
                          : symbols.push_back(byte);
    }
    const std::int32_t id = vocabulary_.id_of(symbols);
    if (id >= 0) tokens.push_back({id, 0, static_cast<std::uint32_t>(word.size())});
    return id >= 0;
  }

  void split_bytes(std::string_view word, std::vector<Symbol>& symbols) const {
    symbols.reserve(word.size());
    bool after_unknown = false;
    for (std::size_t i = 0; i < word.size(); ++i) {
      const std::int32_t id = bytes_[static_cast<unsigned char>(word[i])];
      id >= 0 ? append(symbols, id, i, i + 1) : append_unknown(symbols, i, i + 1, after_unknown);
      after_unknown = id < 0;
    }
  }

  void split_characters(std::string_view word, std::vector<Symbol>& symbols) const {
    symbols.reserve(word.size());
    bool after_unknown = false;
    for (std::size_t i = 0; i < word.size();) {
      const std::size_t end = i + first_character(word.substr(i)).length;
      const std::string_view character = word.substr(i, end - i);
      const std::int32_t id = vocabulary_.id_of(character);
      if (id >= 0) append(symbols, id, i, end);
      const bool known = id >= 0 || (options_.byte_fallback && append_bytes(symbols, character, i));
      if (!known) append_unknown(symbols, i, end, after_unknown);
      after_unknown = !known;
      i = end;
    }
  }

  bool append_bytes(std::vector<Symbol>& symbols, std::string_view character, std::size_t begin) const {
    for (const char byte : character) {
      if (bytes_[static_cast<unsigned char>(byte)] < 0) return false;
    }
    for (const char byte : character) {
      append(symbols, bytes_[static_cast<unsigned char>(byte)], begin, begin + character.size());
    }
    return true;
  }

  /// \param after_unknown  whether the last symbol is an unknown character too, and not one that is spelled like their token
  void append_unknown(std::vector<Symbol>& symbols, std::size_t begin, std::size_t end, bool after_unknown) const {
    if (unknown_ < 0) return;
    if (options_.fuse_unk && after_unknown) {
      symbols.back().token.end = static_cast<std::uint32_t>(end);
    } else {
      append(symbols, unknown_, begin, end);
    }
  }

  static void append(std::vector<Symbol>& symbols, std::int32_t id, std::size_t begin, std::size_t end) {
    const auto at = static_cast<std::int32_t>(symbols.size());
    if (at > 0) symbols.back().next = at;
    symbols.push_back({{id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)}, at - 1});
  }

  void notice(const std::vector<Symbol>& symbols, std::int32_t at, Candidates& candidates) const {
    if (at < 0 || symbols[static_cast<std::size_t>(at)].next < 0) return;
    const Symbol& left = symbols[static_cast<std::size_t>(at)];
    const Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    const std::uint32_t rank = merges_.rank(left.token.id, right.token.id);
    if (rank != Merges::kNone) candidates.push({rank, at, merges_[rank].merged});
  }

  /// Applies merges, lowest rank first, until none applies. n symbols take O(n log n).
  void merge(std::vector<Symbol>& symbols) const {
    Candidates candidates;
    for (std::size_t i = 0; i < symbols.size(); ++i) notice(symbols, static_cast<std::int32_t>(i), candidates);
    while (!candidates.empty()) {
      const Candidate best = candidates.top();
      candidates.pop();
      Symbol& left = symbols[static_cast<std::size_t>(best.at)];
      if (!left.alive || left.next < 0) continue;
      Symbol& right = symbols[static_cast<std::size_t>(left.next)];
      const std::uint32_t now = merges_.rank(left.token.id, right.token.id);
      if (now == Merges::kNone || merges_[now].merged != best.merged) continue;  // one of the two has changed since
      left.token = {best.merged, left.token.begin, right.token.end};
      left.next = right.next;
      right.alive = false;
      if (left.next >= 0) symbols[static_cast<std::size_t>(left.next)].previous = best.at;
      notice(symbols, left.previous, candidates);
      notice(symbols, best.at, candidates);
    }
  }

  BPEOptions options_;
  Vocabulary vocabulary_;
  Merges merges_;
  WordCuts cuts_;
  std::array<std::int32_t, 256> bytes_{};  ///< the first symbols of bytes; -1: there is none
  std::int32_t unknown_ = kNone;
};

}  // namespace weft::detail
