// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "weft/tokenizers/normal_form.hpp"
#include "weft/tokenizers/normalizer.hpp"

#include "support/catch.hpp"

using weft::TextRange;
using namespace weft::detail;

namespace {

ReplaceMatchesStep replace_matches(const char* pattern, const char* content) {
  return {std::make_shared<RegularExpression>(pattern, "test"), content};
}

std::string normalized(Normalizer::Step step, const std::string& text) {
  Normalizer normalizer;
  normalizer.add(std::move(step));
  return normalizer(text);
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
    return normalized(replace_matches(pattern, content), text);
  };
  CHECK(replaced("\\d+", "0", "a12b3") == "a0b0");
  CHECK(replaced("\\d+", "$0", "a12") == "a$0");  // no reference to the match
  CHECK(replaced("\\d+", "", "a12b") == "ab");
  CHECK(replaced("x", "y", "abc") == "abc");
  CHECK(replaced("(?=b)", "-", "bab") == "-ba-b");
  CHECK(replaced("x", "y", "").empty());
  CHECK(replaced("^", "y", "").empty());
  CHECK(replaced("^", "y", "a") == "ya");
}

TEST_CASE("in a text of which a step left nothing, nothing is replaced") {
  Normalizer normalizer;
  normalizer.add(ReplaceStep{"a", ""});
  normalizer.add(replace_matches("^", "y"));
  normalizer.add(NormalFormStep(*find_normal_form("NFC")));
  DerivedTexts texts(true, 2);
  CHECK(normalizer(texts, TextSection("aa", 10)).empty());
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

TEST_CASE("normal forms compose, decompose and replace what is there for compatibility") {
  const auto formed = [](const char* form, const std::string& text) {
    return normalized(NormalFormStep(*find_normal_form(form)), text);
  };
  const std::string angstrom = "\u212B";
  CHECK(formed("NFC", angstrom) == "\u00C5");
  CHECK(formed("NFD", angstrom) == "A\u030A");
  const std::string ligature = "a\uFB01b";
  CHECK(formed("NFC", ligature) == ligature);
  CHECK(formed("NFD", ligature) == ligature);
  CHECK(formed("NFKC", ligature) == "afib");
  CHECK(formed("NFKD", ligature) == "afib");
  const std::string long_s = "\u1E9B\u0323";  // the table in annex 15 that shows all four
  CHECK(formed("NFC", long_s) == "\u1E9B\u0323");
  CHECK(formed("NFD", long_s) == "\u017F\u0323\u0307");
  CHECK(formed("NFKC", long_s) == "\u1E69");
  CHECK(formed("NFKD", long_s) == "s\u0323\u0307");
  CHECK(formed("NFC", "\u1100\u1161\u11A8") == "\uAC01");  // Hangul
  CHECK(formed("NFD", "\uAC01") == "\u1100\u1161\u11A8");
  CHECK(formed("NFC", "\u0958") == "\u0915\u093C");         // excluded from composition
  CHECK(formed("NFC", "e\u0301\u0301") == "\u00E9\u0301");  // the second is blocked
  CHECK(formed("NFC", "a\u0315\u0300") == "\u00E0\u0315");  // marks by their classes
  CHECK(formed("NFC", "\u0301e") == "\u0301e");
  CHECK(formed("NFC", "plain") == "plain");
  CHECK(formed("NFKD", "").empty());
  CHECK(find_normal_form("NFX") == nullptr);
}

TEST_CASE("a composed character stands for the first that it replaces, one that came in for the one before") {
  const auto origins = [](const char* form, const std::string& text) {
    Normalizer normalizer;
    normalizer.add(NormalFormStep(*find_normal_form(form)));
    DerivedTexts texts(true, text.size());
    const TextSection section = normalizer(texts, TextSection(text, 10));
    std::vector<TextRange> ranges;
    for (std::size_t at = 0; at < section.text().size();) {
      ranges.push_back(section.origin(at));
      at += first_character(section.text().substr(at)).length;
    }
    return ranges;
  };
  using Ranges = std::vector<TextRange>;
  CHECK(origins("NFC", "xe\u0301y") == Ranges{{10, 11}, {11, 12}, {14, 15}});
  CHECK(origins("NFD", "x\u00E9y") == Ranges{{10, 11}, {11, 13}, {11, 13}, {13, 14}});
  CHECK(origins("NFKC", "\uFB01\u00E9") == Ranges{{10, 13}, {10, 13}, {13, 15}});
  CHECK(origins("NFD", "\u00E9\u0323") == Ranges{{10, 12}, {12, 14}, {12, 14}});  // the acute goes behind the dot
}

TEST_CASE("a megabyte of marks is put in order in a moment") {
  Normalizer normalizer;
  normalizer.add(NormalFormStep(*find_normal_form("NFC")));
  std::string text = "q";
  for (int i = 0; i < 250000; ++i) text += i % 2 == 0 ? "\u0301" : "\u0323";
  CHECK(normalizer(text).size() == text.size());
}
