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

  /// Searches one text from front to back.
  class Search {
   public:
    /// \param text  UTF-8, as `is_utf8` says
    Search(const RegularExpression& expression, std::string_view text)
        : expression_(expression),
          text_(text),
          data_(pcre2_match_data_create_from_pattern(expression.code_.get(), nullptr)) {}

    /// The next match, none at the end. One that is empty counts unless it touches the one before.
    std::optional<Match> next() {
      while (from_ <= text_.size()) {
        const int count = match(0);
        if (count == PCRE2_ERROR_NOMATCH) break;
        if (count < 0) {
          fail(concat("regular expression ", in_quotes(expression_.pattern_), ": ", error_text(count), " at byte ",
                      from_));
        }
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
    int match(std::uint32_t options) const {
      const int count = pcre2_match(expression_.code_.get(), reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(),
                                    from_, options | PCRE2_NO_UTF_CHECK, data_.get(), nullptr);
      const bool jit_gave_up = count == PCRE2_ERROR_JIT_STACKLIMIT && (options & PCRE2_NO_JIT) == 0;
      return jit_gave_up ? match(PCRE2_NO_JIT) : count;
    }

    std::size_t after_character(std::size_t position) const {
      ++position;
      while (position < text_.size() && (static_cast<unsigned char>(text_[position]) & 0xC0U) == 0x80U) ++position;
      return position;
    }

    const RegularExpression& expression_;
    std::string_view text_;
    std::unique_ptr<pcre2_match_data, FreePcre2> data_;
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
