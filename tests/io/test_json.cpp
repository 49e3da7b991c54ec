// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <string>
#include <vector>

#include "weft/io/json_value.hpp"
#include "weft/tensor/rng.hpp"

#include "support/catch.hpp"

#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>
#define WEFT_TEST_WITH_NLOHMANN
#endif

using Catch::Matchers::ContainsSubstring;
using weft::detail::JsonKind;
using weft::detail::JsonReader;
using weft::detail::JsonValue;
using weft::detail::parse_json;

namespace {

std::string refusal(std::string_view text) {
  try {
    parse_json(text, "test.json");
  } catch (const weft::Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("values come back as they were, digit for digit") {
  for (const char* text :
       {"null", "true", "false", "0", "-0", "1e-05", "12345678901234567890123", "1.50", "\"\"", "[]", "{}",
        "[[],[1,2]]", R"({"a":[null,{"b":"c"}],"d":1E+9})", R"("tab \u0009, quote \", slash \\")"}) {
    INFO(text);
    CHECK(parse_json(text, "test").dump() == text);
  }
  CHECK(parse_json(" { \"b\" : 1 ,\r\n\t\"a\" : [ ] } ", "test").dump() == R"({"a":[],"b":1})");
}

TEST_CASE("a value can be written over several lines") {
  CHECK(parse_json(R"({"b":[1,{}],"a":{"c":2},"d":[]})", "test").dump(2) ==
        "{\n  \"a\": {\n    \"c\": 2\n  },\n  \"b\": [\n    1,\n    {}\n  ],\n  \"d\": []\n}");
}

TEST_CASE("escapes become the characters they stand for") {
  CHECK(parse_json(R"("\"\\\/\b\f\n\r\t")", "test").text == "\"\\/\b\f\n\r\t");
  CHECK(parse_json(R"("\u0041\u00e9\u20AC\ud83d\ude00")", "test").text == "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(parse_json("\"\\u0000\"", "test").text == std::string(1, '\0'));
}

TEST_CASE("numbers are written with the fewest digits that give them back") {
  CHECK(JsonValue::number(0.1).text == "0.1");
  CHECK(JsonValue::number(1.0).text == "1.0");
  CHECK(JsonValue::number(1e-5).text == "1e-05");
  CHECK(JsonValue::number(-2).text == "-2");
  CHECK(JsonValue::number(1.0 / 3).text == "0.3333333333333333");
}

TEST_CASE("what is no JSON is refused with its place") {
  CHECK(refusal("{\"a\": 1,\n \"b\" 2}") == "test.json: not JSON at line 2, column 6: expected ':', found \"2\"");
  CHECK_THAT(refusal(""), ContainsSubstring("line 1, column 1: expected a value, found the end"));
  for (const std::string& text : std::vector<std::string>{"{",
                                                          "[",
                                                          "[1",
                                                          "[1,",
                                                          "[1,]",
                                                          "{\"a\"",
                                                          "{\"a\":",
                                                          "{\"a\":1",
                                                          "{\"a\":1,",
                                                          "{\"a\":1,}",
                                                          "{,}",
                                                          "{a:1}",
                                                          "{'a':1}",
                                                          "tru",
                                                          "True",
                                                          "nul",
                                                          "NaN",
                                                          "Infinity",
                                                          "-",
                                                          "+1",
                                                          "01",
                                                          "1.",
                                                          ".5",
                                                          "1e",
                                                          "1e+",
                                                          "0x10",
                                                          "1 2",
                                                          "\"",
                                                          "\"\n\"",
                                                          "\"\\",
                                                          "\"\\x\"",
                                                          "\"\\u12\"",
                                                          "\"\\u+123\"",
                                                          "\"\\u 123\"",
                                                          "\"\\udc00\"",
                                                          "\"\\ud83d\"",
                                                          "\"\\ud83dx\"",
                                                          "\"\\ud83d\\n\"",
                                                          "\"\\ud83d\\u0041\"",
                                                          "// no\n1",
                                                          "1,",
                                                          "]",
                                                          "\xEF\xBB\xBF{}",
                                                          "\"\xC0\xAF\"",
                                                          "\"\xE0\x80\x80\"",
                                                          "\"\xED\xA0\x80\"",
                                                          "\"\xF4\x90\x80\x80\"",
                                                          "\"\xF5\x80\x80\x80\"",
                                                          "\"\x80\"",
                                                          "\"\xC3\"",
                                                          "\"\xE2\x82\"",
                                                          std::string("1\0", 2),
                                                          std::string("\"a\0\"", 4)}) {
    INFO(text);
    CHECK_THAT(refusal(text), ContainsSubstring("not JSON at line"));
  }
}

TEST_CASE("a key that appears twice is refused wherever it is") {
  CHECK(refusal(R"({"a":1,"b":2,"a":1})") == "test.json: the key \"a\" must not appear twice");
  CHECK_THAT(refusal(R"([{"x":{"a":1,"\u0061":2}}])"), ContainsSubstring("\"a\" must not appear twice"));
  CHECK(refusal(R"({"a":{"a":1}})").empty());
}

TEST_CASE("deep nesting is refused before it reaches the stack") {
  const std::string open(64, '[');
  CHECK(refusal(open + std::string(64, ']')).empty());
  CHECK_THAT(refusal("[" + open), ContainsSubstring("nested less deeply"));
  CHECK_THAT(refusal(std::string(1'000'000, '[')), ContainsSubstring("nested less deeply"));
}

TEST_CASE("the streaming reader says what it expected and what it found") {
  JsonReader reader("{\"a\": [1]}", "test");
  const auto read = [&] {
    reader.object("the text", [&](const std::string&) {
      reader.set_context("inside: ");
      reader.array("a", [&] { reader.string("an element"); });
    });
  };
  CHECK_THROWS_WITH(read(), "test: inside: an element must be a string, found a number");
}

#if defined(WEFT_TEST_WITH_NLOHMANN)
TEST_CASE("damaged texts are accepted or refused as by another parser") {
  const std::string original =
      R"({"a": [1, -2.5e+3, true, null, "caf\u00e9 \ud83d\ude00 \\ é"], "bb": {"c": {}, "d": [[], [0]]}, "e": 1e5})";
  const std::string letters = "{}[]\",:\\u01e-+.tn \n\x80\xC3";
  const weft::Rng rng(11);
  std::uint64_t counter = 0;
  const auto below = [&](std::size_t limit) {
    return static_cast<std::size_t>(rng.uniform(counter++) * static_cast<double>(limit));
  };
  int accepted = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string text = original;
    for (std::size_t edits = 1 + below(3); edits > 0; --edits) {
      text.replace(below(text.size()), below(3), std::string(below(2), letters[below(letters.size())]));
    }
    const std::string ours = refusal(text);
    if (ours.find("must not appear twice") != std::string::npos) continue;
    const bool theirs = nlohmann::json::accept(text);
    INFO(text);
    INFO(ours);
    REQUIRE(ours.empty() == theirs);
    if (!theirs) continue;
    ++accepted;
    const auto expected = nlohmann::json::parse(text);
    REQUIRE(nlohmann::json::parse(parse_json(text, "test").dump()) == expected);
  }
  CHECK(accepted > 200);
}
#endif
