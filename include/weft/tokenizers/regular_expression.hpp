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

#include "weft/tensor/error.hpp"

namespace weft::detail {

struct FreePcre2 {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

/// Tokenizer files are written for Oniguruma. What both engines take in different meanings is rewritten (white space, where
/// PCRE2 adds U+180E) or refused.
/// \param where  the file and field, for messages
inline std::string as_pcre2(std::string_view pattern, std::string_view where) {
  constexpr std::string_view kSpace =
      R"(\t-\r\x20\x85\xA0\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
  std::string result;
  bool in_set = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      if (escaped == 's' || (escaped == 'S' && !in_set)) {
        result += in_set ? std::string(kSpace) : concat(escaped == 's' ? "[" : "[^", kSpace, "]");
        continue;
      }
      if (std::string_view("wWbBhHRXKGAzZyYOSkgQE").find(escaped) != std::string_view::npos) {
        fail(concat(where, ": \\", std::string_view(&escaped, 1), " is not supported in a regular expression ",
                    "(supported: \\s, \\S outside of [], \\d, \\p{...}, \\r, \\n, \\t), found ", pattern));
      }
      result += {'\\', escaped};
      continue;
    }
    const std::string_view rest = pattern.substr(i);
    if (in_set && (c == '[' || rest.starts_with("&&"))) {
      fail(concat(where, ": [] inside [] and && are not supported in a regular expression, found ", pattern));
    }
    if (c == '[') in_set = true;
    if (c == ']') in_set = false;
    result += c;
  }
  return result;
}

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
    const std::string translated = as_pcre2(pattern, where);
    int error = 0;
    PCRE2_SIZE at = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr));
    if (!code_) fail(concat(where, ": no regular expression (", error_text(error), "), found ", pattern));
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

    /// The next match, which is not empty; none at the end.
    std::optional<Match> next() {
      while (from_ < text_.size()) {
        const int count = match(0);
        if (count == PCRE2_ERROR_NOMATCH) break;
        if (count < 0) {
          fail(concat("regular expression ", expression_.pattern_, ": ", error_text(count), " at byte ", from_));
        }
        const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data_.get());
        if (bounds[1] > bounds[0]) {
          from_ = bounds[1];
          return Match{bounds[0], bounds[1]};
        }
        from_ = after_character(bounds[1]);
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
