// SPDX-License-Identifier: Apache-2.0
/// \file
/// Regular expressions of tokenizer files, by PCRE2.
#pragma once

#ifndef PCRE2_CODE_UNIT_WIDTH
/// PCRE2 for characters of 8 bits.
#define PCRE2_CODE_UNIT_WIDTH 8
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <pcre2.h>

#include "weft/io/json_text.hpp"
#include "weft/tensor/error.hpp"
#include "weft/tokenizers/pattern_translator.hpp"

namespace weft::detail {

struct FreePcre2 {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

/// A compiled regular expression over UTF-8. Searching is safe from several threads.
class RegularExpression {
 public:
  struct Match {
    std::size_t begin = 0;
    std::size_t end = 0;
  };

  /// \param pattern  in the syntax of tokenizer files
  /// \param where    the file and field, for messages
  RegularExpression(std::string_view pattern, std::string_view where) : pattern_(pattern) {
    const std::string translated = PatternTranslator(pattern, where).translate();
    int error = 0;
    PCRE2_SIZE at = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr));
    if (!code_) fail(concat(where, ": no regular expression (", error_text(error), "), found ", in_quotes(pattern)));
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // where it cannot, matching is slower and the same
  }

  const std::string& pattern() const { return pattern_; }

  /// Searches one text from front to back. A place where the expression needs few steps costs no more than those; beyond that
  /// the steps at all places together are bounded, by a number and a multiple of the text, or it gives up.
  class Search {
   public:
    static constexpr std::uint32_t few_steps = 4096;
    static constexpr std::uint32_t most_steps = std::uint32_t{1} << 30;  ///< at one place
    static constexpr std::uint64_t steps_in_any_case = 10'000'000;
    static constexpr std::uint64_t steps_per_byte = 64;

    /// \param text  UTF-8, as `is_utf8` says
    Search(const RegularExpression& expression, std::string_view text)
        : expression_(expression),
          text_(text),
          data_(pcre2_match_data_create_from_pattern(expression.code_.get(), nullptr)),
          context_(pcre2_match_context_create(nullptr)),
          steps_left_(steps_in_any_case + steps_per_byte * text.size()) {}

    /// The next match, none at the end. One that is empty counts unless it touches the one before.
    std::optional<Match> next() {
      while (from_ <= text_.size()) {
        const int count = place_by_place_ ? match_here() : match(0, few_steps);
        if (count == PCRE2_ERROR_MATCHLIMIT && !place_by_place_) {
          place_by_place_ = true;
          continue;
        }
        if (count == PCRE2_ERROR_NOMATCH) {
          if (!place_by_place_) break;
          from_ = after_character(from_);
          continue;
        }
        if (count < 0) refuse(error_text(count));
        const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data_.get());
        const Match found{bounds[0], bounds[1]};
        if (found.begin == found.end && found.end == end_before_) {
          from_ = after_character(from_);
          continue;
        }
        from_ = found.end;
        end_before_ = found.end;
        return found;
      }
      return {};
    }

   private:
    [[noreturn]] void refuse(const std::string& why) const {
      fail(concat("regular expression ", in_quotes(expression_.pattern_), ": ", why, " at byte ", from_));
    }

    int match(std::uint32_t options, std::uint32_t steps) const {
      pcre2_set_match_limit(context_.get(), steps);
      const int count = pcre2_match(expression_.code_.get(), reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(),
                                    from_, options | PCRE2_NO_UTF_CHECK, data_.get(), context_.get());
      const bool jit_gave_up = count == PCRE2_ERROR_JIT_STACKLIMIT && (options & PCRE2_NO_JIT) == 0;
      return jit_gave_up ? match(options | PCRE2_NO_JIT, steps) : count;
    }

    /// At `from_` and nowhere else, because PCRE2 counts the steps of every place anew.
    int match_here() {
      std::uint32_t steps = few_steps;
      int count = match(PCRE2_ANCHORED, steps);
      while (count == PCRE2_ERROR_MATCHLIMIT && steps <= most_steps / 4 && 4 * steps <= steps_left_) {
        steps *= 4;
        steps_left_ -= steps;
        count = match(PCRE2_ANCHORED, steps);
      }
      return count;
    }

    std::size_t after_character(std::size_t position) const {
      ++position;
      while (position < text_.size() && (static_cast<unsigned char>(text_[position]) & 0xC0U) == 0x80U) ++position;
      return position;
    }

    const RegularExpression& expression_;
    std::string_view text_;
    std::unique_ptr<pcre2_match_data, FreePcre2> data_;
    std::unique_ptr<pcre2_match_context, FreePcre2> context_;
    std::uint64_t steps_left_;
    bool place_by_place_ = false;
    std::size_t from_ = 0;
    std::size_t end_before_ = std::string_view::npos;  ///< of the last match
  };

 private:
  static std::string error_text(int error) {
    std::array<PCRE2_UCHAR, 200> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    return reinterpret_cast<const char*>(message.data());
  }

  std::string pattern_;
  std::unique_ptr<pcre2_code, FreePcre2> code_;
};

}  // namespace weft::detail
