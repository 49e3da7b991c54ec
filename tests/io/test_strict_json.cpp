// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>
#include <vector>

#include "weft/io/strict_json.hpp"

#include "support/catch.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::detail::Json;
using weft::detail::json_excerpt;
using weft::detail::json_lines;
using weft::detail::json_text;
using weft::detail::JsonStream;
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

TEST_CASE("values come back as they were, with sorted keys") {
  for (const char* text : {"null", "true", "false", "0", "-7", "1e-05", "18446744073709551615", "-9223372036854775808",
                           "0.30000000000000004", "1.0", "\"\"", "[]", "{}", "[[],[1,2]]", "[{\"a\":[{}]},{\"a\":2},3]",
                           R"({"a":[null,{"b":"c"}],"d":1.5})", R"("tab \t, quote \", slash \\")"}) {
    INFO(text);
    CHECK(json_text(parse_json(text, "test")) == text);
  }
  CHECK(json_text(parse_json(" { \"b\" : 1 ,\r\n\t\"a\" : [ ] } ", "test")) == R"({"a":[],"b":1})");
  CHECK(parse_json(R"("\u0041\u00e9\u20AC\ud83d\ude00")", "test") == "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(parse_json("\"\\u0000\"", "test") == std::string(1, '\0'));
}

TEST_CASE("a value can be written over several lines") {
  CHECK(json_lines(parse_json(R"({"b":[1,{}],"a":{"c":2},"d":[]})", "test")) ==
        "{\n  \"a\": {\n    \"c\": 2\n  },\n  \"b\": [\n    1,\n    {}\n  ],\n  \"d\": []\n}");
}

TEST_CASE("a value in a message is one short line of ASCII") {
  CHECK(json_excerpt(parse_json("[1, \"\x7F\xC2\x9B\"]", "test")) == "[1,\"\\u007f\\u009b\"]");
  CHECK(json_excerpt(Json("\xFF")) == "\"\\ufffd\"");
  CHECK(json_excerpt(Json(std::string(100'000, 'x'))).size() < 250);
}

TEST_CASE("what is no JSON is refused with its place") {
  CHECK_THAT(refusal("{\"a\": 1,\n \"b\" 2}"),
             ContainsSubstring("test.json: not JSON at line 2, column 6: ") &&
                 ContainsSubstring("missing a colon after a name of object member, found \"2}\""));
  CHECK_THAT(refusal(""),
             ContainsSubstring("line 1, column 1: ") && ContainsSubstring("the document is empty, found the end"));
  CHECK(refusal("[1e999]") ==
        "test.json: not JSON at line 1, column 2: number too big to be stored in double, found \"1e999]\"");
  const std::string long_and_hostile = refusal("[\"\x1B" + std::string(100'000, '\x9B') + "\"]");
  CHECK(long_and_hostile.size() < 600);
  for (const char character : long_and_hostile) CHECK((character >= ' ' && character < '\x7F'));
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
    CHECK_THAT(refusal(text), ContainsSubstring("test.json: not JSON"));
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

TEST_CASE("what is streamed is handed over in the order of the text and left out of the value") {
  std::string seen;
  const auto note = [&](std::string_view name, const Json& value) {
    seen.append(name).append("=").append(json_text(value)).append(";");
  };
  const std::array<JsonStream, 2> streams{{{{"m", "v"}, true, note}, {{"m", "l"}, false, note}}};
  const auto read = [&](std::string_view text) {
    seen.clear();
    return json_text(parse_json(text, "f", false, streams));
  };
  CHECK(read(R"({"m": {"v": {"b": 1, "a": {"x": [1, {}]}}, "l": ["t", ["u", []]], "n": 2}, "v": {"c": 3}})") ==
        R"({"m":{"l":[],"n":2,"v":{}},"v":{"c":3}})");
  CHECK(seen == R"(b=1;a={"x":[1,{}]};="t";=["u",[]];)");

  // What stands elsewhere or is of another kind is not streamed.
  for (const std::string_view text :
       {R"({"m":{"l":{"a":1},"v":["t"]}})", R"({"x":{"v":{"a":1}}})", R"([{"v":{"a":1}}])", R"({"m":[{"v":{"a":1}}]})",
        R"({"m":{"x":{"v":{"a":1}}}})", R"({"m":{"v":1}})"}) {
    CHECK(read(text) == text);
    CHECK(seen.empty());
  }
  CHECK_THROWS_WITH(read(R"({"m":{"v":{"a":1)"), ContainsSubstring("f: not JSON at line 1"));
  CHECK_THROWS_WITH(read(R"({"m":{"v":{"a":{"b":1,"b":2}}}})"), "f: the key \"b\" must not appear twice");
}
