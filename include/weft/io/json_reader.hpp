// SPDX-License-Identifier: Apache-2.0
/// \file
/// JSON, read strictly and as a stream.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "weft/io/json_text.hpp"
#include "weft/tensor/error.hpp"

namespace weft::detail {

enum class JsonKind { null, boolean, number, string, array, object };

/// As a message says it: "found a number".
constexpr std::string_view json_kind_text(JsonKind kind) {
  constexpr std::string_view texts[] = {"null", "true or false", "a number", "a string", "an array", "an object"};
  return texts[static_cast<std::size_t>(kind)];
}

/// Reads a JSON text (RFC 8259, UTF-8, nothing beyond it) from its first byte to its last; the caller says what comes
/// next. Whatever is not JSON, or not what the caller expects, raises Error with the file, the place and what was found.
/// It keeps nothing but a position, so that a file can neither exhaust memory nor, with deep nesting, the stack.
///
/// A parser of our own because of what others cost whoever includes weft: with nlohmann-json, the headers that read
/// safetensors and config.json took 1.7 times as long to compile and 150 MB more (g++ 12, -O2). It is tested against it.
class JsonReader {
 public:
  static constexpr int deepest = 64;

  /// \param where  the file, for messages
  JsonReader(std::string_view text, std::string_view where) : text_(text), where_(where) {}

  /// What stands before the name of a value in messages, for instance `tensor "a": `.
  void set_context(std::string context) { context_ = std::move(context); }

  /// What the next value is.
  JsonKind kind() {
    skip_space();
    switch (peek()) {
      case '{':
        return JsonKind::object;
      case '[':
        return JsonKind::array;
      case '"':
        return JsonKind::string;
      case 't':
      case 'f':
        return JsonKind::boolean;
      case 'n':
        return JsonKind::null;
      default:
        if (peek() != '-' && !is_digit()) fault("a value");
        return JsonKind::number;
    }
  }

  /// Reads an object: `member(key)` is called for each key, and reads the value.
  /// \param what  the value's name, for messages
  template <class Member>
  void object(std::string_view what, Member&& member) {
    open(JsonKind::object, what);
    if (!take('}')) {
      do {
        skip_space();
        if (peek() != '"') fault("a key in quotes");
        const std::string key = string_token();
        skip_space();
        if (!take(':')) fault("':'");
        member(key);
      } while (another('}'));
    }
    --depth_;
  }

  /// Reads an array: `element()` is called where an element stands, and reads it.
  template <class Element>
  void array(std::string_view what, Element&& element) {
    open(JsonKind::array, what);
    if (!take(']')) {
      do element();
      while (another(']'));
    }
    --depth_;
  }

  std::string string(std::string_view what) {
    expect(JsonKind::string, what);
    return string_token();
  }

  /// The text of a number.
  std::string_view number(std::string_view what) {
    expect(JsonKind::number, what);
    const std::size_t begin = position_;
    take('-');
    if (!take('0')) digits();
    if (take('.')) digits();
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      digits();
    }
    return text_.substr(begin, position_ - begin);
  }

  /// A number without sign, fraction or exponent.
  std::uint64_t natural(std::string_view what) {
    const std::string_view digits = number(what);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) {
      refuse(what, "a whole number from 0 to 2^64 - 1", excerpt(std::string(digits)));
    }
    return value;
  }

  bool boolean(std::string_view what) {
    expect(JsonKind::boolean, what);
    const bool value = peek() == 't';
    word(value ? "true" : "false");
    return value;
  }

  void null(std::string_view what) {
    expect(JsonKind::null, what);
    word("null");
  }

  /// Nothing may follow.
  void finish() {
    skip_space();
    if (position_ != text_.size()) fault("the end");
  }

  /// Raises Error: "<where>: <context><what> must be <expected>, found <found>".
  [[noreturn]] void refuse(std::string_view what, std::string_view expected, std::string_view found) const {
    fail(concat(where_, ": ", context_, what, " must be ", expected, ", found ", found));
  }

 private:
  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  bool is_digit() const { return peek() >= '0' && peek() <= '9'; }

  bool take(char character) {
    if (position_ == text_.size() || text_[position_] != character) return false;
    ++position_;
    return true;
  }

  void skip_space() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++position_;
  }

  void expect(JsonKind expected, std::string_view what) {
    const JsonKind found = kind();
    if (found != expected) refuse(what, json_kind_text(expected), json_kind_text(found));
  }

  void open(JsonKind expected, std::string_view what) {
    expect(expected, what);
    if (++depth_ > deepest) refuse(what, "nested less deeply", concat("more than ", deepest, " levels"));
    ++position_;
    skip_space();
  }

  bool another(char closing) {
    skip_space();
    if (take(',')) return true;
    if (!take(closing)) fault(closing == '}' ? "',' or '}'" : "',' or ']'");
    return false;
  }

  void digits() {
    if (!is_digit()) fault("a digit");
    while (is_digit()) ++position_;
  }

  void word(std::string_view expected) {
    if (text_.substr(position_, expected.size()) != expected) fault(expected);
    position_ += expected.size();
  }

  std::string string_token() {
    std::string text;
    ++position_;
    while (!take('"')) {
      if (take('\\')) {
        escape(text);
        continue;
      }
      const std::size_t length = utf8_length(text_.substr(position_));
      if (length == 0) fault(position_ < text_.size() ? "UTF-8" : "'\"'");
      if (static_cast<unsigned char>(peek()) < 0x20) fault("no control character");
      text.append(text_, position_, length);
      position_ += length;
    }
    return text;
  }

  void escape(std::string& text) {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    if (take('u')) {
      append_utf8(text, escaped_character());
      return;
    }
    const std::size_t index = peek() == '\0' ? std::string_view::npos : letters.find(peek());
    if (index == std::string_view::npos) fault("an escape sequence");
    text += meanings[index];
    ++position_;
  }

  /// Characters beyond U+FFFF are escaped as two surrogates.
  std::uint32_t escaped_character() {
    const std::uint32_t high = four_digits();
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || !take('\\') || !take('u')) fault("a pair of surrogates");
    const std::uint32_t low = four_digits();
    if (low < 0xDC00 || low > 0xDFFF) fault("a pair of surrogates");
    return 0x10000U + ((high - 0xD800U) << 10U) + (low - 0xDC00U);
  }

  std::uint32_t four_digits() {
    const std::string_view digits = text_.substr(position_, 4);
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) fault("four hexadecimal digits");
    position_ += 4;
    return value;
  }

  /// The text is not JSON.
  [[noreturn]] void fault(std::string_view expected) const {
    std::size_t line = 1;
    std::size_t column = 1;
    for (const char character : text_.substr(0, position_)) {
      column = character == '\n' ? 1 : column + 1;
      line += character == '\n' ? 1 : 0;
    }
    const std::string found = position_ < text_.size() ? in_quotes(text_.substr(position_, 1)) : "the end";
    fail(concat(where_, ": ", context_, "not JSON at line ", line, ", column ", column, ": expected ", expected,
                ", found ", found));
  }

  std::string_view text_;
  std::string_view where_;
  std::string context_;
  std::size_t position_ = 0;
  int depth_ = 0;
};

}  // namespace weft::detail
