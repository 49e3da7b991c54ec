// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "weft/tokenizers/normalizer.hpp"

#include "support/catch.hpp"

using weft::TextRange;
using namespace weft::detail;

namespace {

ReplaceMatchesStep replace_matches(const char* pattern, const char* content) {
  return {std::make_shared<RegularExpression>(pattern, "test"), content};
}

}  // namespace

TEST_CASE("what normalisers make remembers where it comes from") {
  Normalizer normalizer;
  normalizer.add(PrependStep{"_"});
  normalizer.add(ReplaceStep{" ", "--"});
  DerivedTexts texts(true, 4);
  const TextSection section = normalizer(texts, TextSection("\u00E9 b", 10));
  CHECK(section.text() == "_\u00E9--b");
  CHECK(section.origin(0) == TextRange{10, 12});  // what is put in front stands for the first character
  CHECK(section.origin(1) == TextRange{10, 12});
  CHECK(section.origin(3, 5) == TextRange{12, 13});
  CHECK(section.origin(5) == TextRange{13, 14});
  CHECK(normalizer("").empty());
}

TEST_CASE("what replaces a match stands for its last character") {
  Normalizer normalizer;
  normalizer.add(replace_matches(" {2,}", "__"));
  DerivedTexts texts(true, 8);
  const TextSection section = normalizer(texts, TextSection("\u00E9   b c", 10));
  CHECK(section.text() == "\u00E9__b c");
  CHECK(section.origin(0) == TextRange{10, 12});
  CHECK(section.origin(2, 4) == TextRange{14, 15});
  CHECK(section.origin(4) == TextRange{15, 16});
  CHECK(section.origin(6) == TextRange{17, 18});
}

TEST_CASE("a text takes the place of each match, also of an empty one") {
  const auto replaced = [](const char* pattern, const char* content, const char* text) {
    Normalizer normalizer;
    normalizer.add(replace_matches(pattern, content));
    return normalizer(text);
  };
  CHECK(replaced("\\d+", "0", "a12b3") == "a0b0");
  CHECK(replaced("\\d+", "$0", "a12") == "a$0");  // no reference to the match
  CHECK(replaced("\\d+", "", "a12b") == "ab");
  CHECK(replaced("x", "y", "abc") == "abc");
  CHECK(replaced("(?=b)", "-", "bab") == "-ba-b");
  CHECK(replaced("x", "y", "").empty());
}

TEST_CASE("a text put in front of an empty match at the front stands for nothing") {
  Normalizer normalizer;
  normalizer.add(replace_matches("(?=b)", "-"));
  DerivedTexts texts(true, 2);
  const TextSection section = normalizer(texts, TextSection("bb", 10));
  CHECK(section.text() == "-b-b");
  CHECK(section.origin(0) == TextRange{10, 10});
  CHECK(section.origin(2) == TextRange{10, 11});
}
