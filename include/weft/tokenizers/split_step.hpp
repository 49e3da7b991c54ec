// SPDX-License-Identifier: Apache-2.0
/// \file
/// A text divided by a regular expression.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/tokenizers/regular_expression.hpp"
#include "weft/tokenizers/text_section.hpp"

namespace weft::detail {

/// What becomes of a match; what lies between matches is a word.
enum class SplitBehavior {
  removed,               ///< nothing
  isolated,              ///< a word
  contiguous,            ///< a word with the matches that touch it
  merged_with_previous,  ///< the end of the word before it; the second of two that touch is a word
  merged_with_next,      ///< the front of the word after it; the first of two that touch is a word
};

/// The behaviours as tokenizer.json names them.
inline constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kSplitBehaviors{
    {{"Removed", SplitBehavior::removed},
     {"Isolated", SplitBehavior::isolated},
     {"Contiguous", SplitBehavior::contiguous},
     {"MergedWithPrevious", SplitBehavior::merged_with_previous},
     {"MergedWithNext", SplitBehavior::merged_with_next}}};

/// The pre-tokenizer `Split`.
class SplitStep {
 public:
  /// \param inverted  matches are what lies between those of the expression, and the other way round
  explicit SplitStep(std::shared_ptr<const RegularExpression> expression,
                     SplitBehavior behavior = SplitBehavior::isolated, bool inverted = false)
      : expression_(std::move(expression)), behavior_(behavior), inverted_(inverted) {}

  /// Appends the words of a section.
  void operator()(const TextSection& section, std::vector<TextSection>& words) const {
    const auto put = [&](std::size_t begin, std::size_t end) {
      if (end > begin) words.push_back(section.part(begin, end - begin));
    };
    if (behavior_ == SplitBehavior::isolated || behavior_ == SplitBehavior::removed) {
      for_each_piece(section.text(), [&](const Piece& piece) {
        if (behavior_ == SplitBehavior::isolated || !piece.matches) put(piece.begin, piece.end);
      });
      return;
    }
    std::vector<Piece> pieces;
    for_each_piece(section.text(), [&](const Piece& piece) { pieces.push_back(piece); });
    for (const Piece& word : merged(pieces)) put(word.begin, word.end);
  }

 private:
  struct Piece {
    std::size_t begin;
    std::size_t end;
    bool matches;
  };

  /// Matches, which may be empty, and what lies between them, in turn.
  template <class Put>
  void for_each_piece(std::string_view text, Put&& put) const {
    RegularExpression::Search search(*expression_, text);
    std::size_t done = 0;
    while (const auto match = search.next()) {
      if (match->begin > done) put(Piece{done, match->begin, inverted_});
      put(Piece{match->begin, match->end, !inverted_});
      done = match->end;
    }
    if (done < text.size()) put(Piece{done, text.size(), inverted_});
  }

  std::vector<Piece> merged(const std::vector<Piece>& pieces) const {
    std::vector<Piece> words;
    const Piece* before = nullptr;
    for (const Piece& piece : pieces) {
      if (before != nullptr && joins(before->matches, piece.matches)) {
        words.back().end = piece.end;
      } else {
        words.push_back(piece);
      }
      before = &piece;
    }
    return words;
  }

  /// Whether two pieces in a row are parts of one word.
  bool joins(bool left_matches, bool right_matches) const {
    if (behavior_ == SplitBehavior::contiguous) return left_matches == right_matches;
    if (behavior_ == SplitBehavior::merged_with_previous) return right_matches && !left_matches;
    return left_matches && !right_matches;
  }

  std::shared_ptr<const RegularExpression> expression_;
  SplitBehavior behavior_;
  bool inverted_;
};

}  // namespace weft::detail
