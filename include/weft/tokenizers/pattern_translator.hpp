// SPDX-License-Identifier: Apache-2.0
/// \file
/// From the regular expressions of tokenizer files to those of PCRE2.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "weft/io/json_text.hpp"
#include "weft/tensor/error.hpp"

namespace weft::detail {

/// The pattern of a set that holds what Oniguruma calls white space; PCRE2 adds U+180E.
inline constexpr std::string_view kSpaceSet =
    R"(\t-\r\x20\x85\xA0\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

/// Writes a pattern of tokenizer files, which are made for Oniguruma, as PCRE2 has to read it. What both engines know
/// and take in different meanings is rewritten, or refused with the pattern.
class PatternTranslator {
 public:
  /// \param where  the file and field, for messages
  PatternTranslator(std::string_view pattern, std::string_view where) : pattern_(pattern), where_(where) {}

  std::string translate() {
    while (at_ < pattern_.size()) {
      if (rest().starts_with('\\') && rest().size() > 1) {
        translate_escape();
      } else if (in_set_) {
        translate_in_set();
      } else {
        translate_outside();
      }
    }
    return std::move(result_);
  }

 private:
  std::string_view rest() const { return pattern_.substr(at_); }

  void take(std::size_t characters, std::string_view instead) {
    result_ += instead;
    at_ += characters;
  }
  void keep(std::size_t characters) { take(characters, rest().substr(0, characters)); }

  [[noreturn]] void refuse(std::string_view what) const {
    fail(concat(where_, ": ", what, " is not supported in a regular expression, found ", in_quotes(pattern_)));
  }

  /// White space is spelled out, \u1234 is \x{1234}; of other letters those are known that mean the same: \d, \p, \P, \r, \n,
  /// \t, \x.
  void translate_escape() {
    const char letter = rest()[1];
    if (letter == 's') return in_set_ ? take(2, kSpaceSet) : take(2, concat("[", kSpaceSet, "]"));
    if (letter == 'S' && !in_set_) return take(2, concat("[^", kSpaceSet, "]"));
    if (letter == 'u') return translate_code_point();
    const bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
    const bool is_digit = letter >= '0' && letter <= '9';
    if (is_digit || (is_letter && std::string_view("dDpPrntx").find(letter) == std::string_view::npos)) {
      refuse(rest().substr(0, 2));
    }
    keep(2);
    if (is_letter && rest().starts_with('{')) keep(std::min(rest().find('}'), rest().size() - 1) + 1);  // \p{L}
  }

  void translate_code_point() {
    const std::string_view digits = rest().substr(2, 4);
    const bool whole =
        digits.size() == 4 && digits.find_first_not_of("0123456789ABCDEFabcdef") == std::string_view::npos;
    if (!whole) refuse("\\u without four digits");
    take(6, concat("\\x{", digits, "}"));
  }

  void translate_in_set() {
    if (rest().starts_with('[') || rest().starts_with("&&")) refuse("[ or && inside []");
    if (rest().starts_with(']')) in_set_ = false;
    keep(1);
  }

  /// A line's ends are everywhere, {,n} begins at 0, and flags are those of upper and lower case alone.
  void translate_outside() {
    if (rest().starts_with('^')) return take(1, "(?m:^)");
    if (rest().starts_with('$')) return take(1, "(?m:$)");
    if (rest().starts_with("{,")) return take(2, "{0,");
    if (rest().starts_with("}+")) refuse("}+");
    if (rest().starts_with("(?")) return translate_group();
    if (rest().starts_with('[')) {
      in_set_ = true;
      keep(rest().starts_with("[^") ? 2 : 1);
      if (rest().starts_with(']')) refuse("] as the first of a set");
      return;
    }
    keep(1);
  }

  void translate_group() {
    const std::size_t end = rest().find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-", 2);
    const std::string_view flags = rest().substr(2, end == std::string_view::npos ? end : end - 2);
    if (flags.find_first_not_of("i-") != std::string_view::npos) refuse(concat("(?", flags));
    keep(2 + flags.size());
  }

  std::string_view pattern_;
  std::string_view where_;
  std::string result_;
  std::size_t at_ = 0;
  bool in_set_ = false;
};

/// A pattern that matches a text as it is.
inline std::string as_pattern(std::string_view text) {
  std::string pattern;
  for (const char character : text) {
    if (std::string_view(R"(\.+*?()|[]{}^$)").find(character) != std::string_view::npos) pattern += '\\';
    pattern += character;
  }
  return pattern;
}

}  // namespace weft::detail
