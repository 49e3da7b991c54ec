// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "weft/tensor/utf8.hpp"

#include "support/catch.hpp"

using namespace weft::detail;

TEST_CASE("every code point is read as it was written, and a truncated one is not") {
  for (char32_t point = 0; point < 0x110000; point += point < 0x3000 ? 1 : 97) {
    if (point >= 0xD800 && point < 0xE000) continue;
    std::string text;
    append_utf8(text, point);
    const auto character = first_character(text);
    REQUIRE(character.valid);
    REQUIRE(character.point == point);
    REQUIRE(character.length == text.size());
    REQUIRE(unfinished_bytes(text) == 0);
    for (std::size_t length = 1; length < text.size(); ++length) {
      REQUIRE_FALSE(is_utf8(text.substr(0, length)));
      REQUIRE(unfinished_bytes("a" + text.substr(0, length)) == length);
    }
  }
}

TEST_CASE("surrogates, overlong forms and what lies beyond Unicode are no characters") {
  for (const char* text : {"\xED\xA0\x80", "\xC0\x80", "\xE0\x80\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80",
                           "\xF8\x88", "\x80", "\xFF"}) {
    CHECK_FALSE(first_character(text).valid);
    CHECK(unfinished_bytes(text) == 0);
  }
}

TEST_CASE("bytes that could have become one character are replaced together") {
  const std::string mark(kReplacementCharacter);
  CHECK(replace_invalid_utf8("a\xE3\x81z") == "a" + mark + "z");             // two bytes of three
  CHECK(replace_invalid_utf8("\xF0\x9F\x91") == mark);                       // three of four
  CHECK(replace_invalid_utf8("\xE3\xE3\x81\x82") == mark + "\xE3\x81\x82");  // a first byte alone
  CHECK(replace_invalid_utf8("\xED\xA0\x80") == mark + mark + mark);         // a surrogate: none of them could
  CHECK(replace_invalid_utf8("\xC3\xA9") == "\xC3\xA9");
  CHECK(replace_invalid_utf8("").empty());
}

TEST_CASE("white space is Unicode's and not the Mongolian vowel separator") {
  for (const char32_t point : {U' ', U'\t', U'\n', U'\r', U'\x85', U'\xA0', U'\x1680', U'\x2003', U'\x3000'}) {
    CHECK(is_white_space(point));
  }
  for (const char32_t point : {U'a', U'\0', U'\x180E', U'\x200B', U'\xFEFF'}) CHECK_FALSE(is_white_space(point));
}
