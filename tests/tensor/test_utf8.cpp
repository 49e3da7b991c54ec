// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "weft/tensor/utf8.hpp"

#include "support/catch.hpp"

using namespace weft::detail;
using weft::find_invalid_utf8;

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

TEST_CASE("UTF-8 of every length is accepted up to its borders") {
  for (const std::string text : {"", "plain", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                                 "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    CHECK(find_invalid_utf8(text) == std::string::npos);
  }
  CHECK(find_invalid_utf8(std::string_view("a\0b", 3)) == std::string::npos);
}

TEST_CASE("what is not UTF-8 is found where it begins") {
  for (const std::string bad :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x41", "\xE0\x9F\xBF", "\xE1\x80", "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF", "\xF1\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"}) {
    CHECK(find_invalid_utf8(bad) == 0);
    CHECK(find_invalid_utf8("ab\xC3\xA9" + bad) == 4);
    CHECK(find_invalid_utf8("ab\xC3\xA9" + bad + "more") == 4);
    for (std::size_t before = 0; before < 20; ++before) {
      CHECK(find_invalid_utf8(std::string(before, 'a') + bad) == before);
      CHECK(find_invalid_utf8("\xC3\xA9" + std::string(before, 'a') + bad + "and more") == before + 2);
    }
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
