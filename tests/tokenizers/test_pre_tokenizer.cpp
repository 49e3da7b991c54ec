// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "weft/tokenizers/added_tokens.hpp"
#include "weft/tokenizers/normalizer.hpp"
#include "weft/tokenizers/pre_tokenizer.hpp"

#include "support/catch.hpp"

using weft::AddedToken;
using weft::TextRange;
using namespace weft::detail;
using Catch::Matchers::Contains;

namespace {

using Words = std::vector<std::string>;

template <class Step>
Words words_of(Step step, const std::string& text) {
  PreTokenizer pre_tokenizer;
  pre_tokenizer.add(std::move(step));
  DerivedTexts texts(true, text.size());
  PreTokenizer::Words sections;
  pre_tokenizer(texts, TextSection(text, 0), sections);
  Words words;
  for (const auto& section : sections) words.emplace_back(section.text());
  return words;
}

SplitStep split(const char* pattern, SplitBehavior behavior = SplitBehavior::isolated, bool inverted = false) {
  return SplitStep(std::make_shared<RegularExpression>(pattern, "test"), behavior, inverted);
}

ByteLevelStep byte_level(bool add_prefix_space) {
  return {add_prefix_space, SplitStep(std::make_shared<RegularExpression>(kByteLevelPattern, "test"))};
}

}  // namespace

TEST_CASE("byte-level words are those of GPT-2") {
  CHECK(words_of(byte_level(false), "I've  seen 12 o'clock!\n\n ") ==
        Words{"I", "'ve", " ", " seen", " 12", " o", "'", "clock", "!", "\n\n "});
  CHECK(words_of(byte_level(true), "a b") == Words{" a", " b"});
  CHECK(words_of(byte_level(true), " a") == Words{" a"});
  CHECK(words_of(byte_level(true), "").empty());
  CHECK(words_of(byte_level(false), "x\u180Ey z") == Words{"x", "\u180E", "y", " z"});  // no white space
}

TEST_CASE("a split keeps what matches as words of its own, or removes it") {
  CHECK(words_of(split("\\d+"), "ab12c3") == Words{"ab", "12", "c", "3"});
  CHECK(words_of(split("[\\s]+", SplitBehavior::removed), " ab \u3000c ") == Words{"ab", "c"});
  CHECK(words_of(split("(?=b)"), "abab") == Words{"a", "ba", "b"});  // an empty match divides
  CHECK(words_of(split("(?=b)", SplitBehavior::removed), "abab") == Words{"a", "ba", "b"});
  CHECK(words_of(split("(?=(\\d{3})+(?!\\d))"), "a1234567") == Words{"a1", "234", "567"});
  CHECK(words_of(split("(?i:'s)"), "it'S") == Words{"it", "'S"});
  CHECK(words_of(split("[\\u00e8-\\u00EA]|\\u0062"), "a\u00E9bc") == Words{"a", "\u00E9", "b", "c"});
}

TEST_CASE("a split joins what matches to a word beside it") {
  const auto contiguous = [](const char* text) { return words_of(split("-", SplitBehavior::contiguous), text); };
  CHECK(contiguous("a--b-c") == Words{"a", "--", "b", "-", "c"});
  CHECK(contiguous("--") == Words{"--"});
  const auto previous = [](const char* text) {
    return words_of(split("-", SplitBehavior::merged_with_previous), text);
  };
  CHECK(previous("a--b-c") == Words{"a-", "-", "b-", "c"});
  CHECK(previous("-ab-") == Words{"-", "ab-"});
  CHECK(previous("--") == Words{"-", "-"});
  const auto next = [](const char* text) { return words_of(split("-", SplitBehavior::merged_with_next), text); };
  CHECK(next("a--b-c") == Words{"a", "-", "-b", "-c"});
  CHECK(next("-ab-") == Words{"-ab", "-"});
  CHECK(next("ab") == Words{"ab"});
  CHECK(next("").empty());
  CHECK(words_of(split("(?=b)", SplitBehavior::contiguous), "abab") ==
        Words{"a", "ba", "b"});  // an empty match divides
}

TEST_CASE("an inverted split takes what lies between matches for the matches") {
  const auto inverted = [](SplitBehavior behavior) { return words_of(split("\\d+", behavior, true), "-ab12c3-"); };
  CHECK(inverted(SplitBehavior::removed) == Words{"12", "3"});
  CHECK(inverted(SplitBehavior::isolated) == Words{"-ab", "12", "c", "3", "-"});
  CHECK(inverted(SplitBehavior::contiguous) == Words{"-ab", "12", "c", "3", "-"});
  CHECK(inverted(SplitBehavior::merged_with_previous) == Words{"-ab", "12c", "3-"});
  CHECK(inverted(SplitBehavior::merged_with_next) == Words{"-ab12", "c3", "-"});
}

TEST_CASE("expressions that mean something else to the engine of tokenizer files are refused") {
  CHECK_THROWS_WITH(split("\\w+"), Contains("test: \\w is not supported") && Contains("found \"\\\\w+\""));
  for (const char* pattern : {"\\u", "\\u12g4", "\\u{1234}", "\\b", "\\v", "\\1", "\\h", "\\K", "[\\S]", "[a[b]]",
                              "[a&&b]", "[]a]", "a{1,2}+", "(?m:a)", "(?s)a", "(?P<n>a)"}) {
    CAPTURE(pattern);
    CHECK_THROWS_WITH(split(pattern), Contains("is not supported in a regular expression"));
  }
  CHECK_THROWS_WITH(split("(a"), Contains("no regular expression") && Contains("found \"(a\""));
}

TEST_CASE("lines end everywhere, and a count may begin at 0") {
  CHECK(words_of(split("^t"), "ta\nta") == Words{"t", "a\n", "t", "a"});
  CHECK(words_of(split("a$"), "ta\nta") == Words{"t", "a", "\nt", "a"});
  CHECK(words_of(split("xa{,2}"), "xaaab") == Words{"xaa", "ab"});
  CHECK(words_of(split("[\\]^$]+"), "a^]$") == Words{"a", "^]$"});  // within a set they are themselves
}

TEST_CASE("an expression that backtracks without end is an error and no hang") {
  CHECK_THROWS_WITH(words_of(split("(a|aa)+$"), std::string(5000, 'a') + "b"), Contains("regular expression"));
}

TEST_CASE("Metaspace makes spaces visible, in front too where it is told to, and divides before them") {
  const std::string mark = "\u2581";
  const auto words = [&](PrependScheme scheme, bool split, const char* text) {
    return words_of(MetaspaceStep{mark, scheme, split}, text);
  };
  CHECK(words(PrependScheme::always, true, "a b") == Words{mark + "a", mark + "b"});
  CHECK(words(PrependScheme::always, false, "a b") == Words{mark + "a" + mark + "b"});
  CHECK(words(PrependScheme::never, true, "a  b") == Words{"a", mark, mark + "b"});
  CHECK(words(PrependScheme::always, true, " a") == Words{mark + "a"});
}

TEST_CASE("the scheme first puts a space in front of the text, and not of what follows a token") {
  PreTokenizer pre_tokenizer;
  pre_tokenizer.add(MetaspaceStep{"_", PrependScheme::first, true});
  for (const bool remembers : {false, true}) {
    DerivedTexts texts(remembers, 2);
    PreTokenizer::Words words;
    const TextSection text("ab", 0);
    pre_tokenizer(texts, text.part(0, 1), words);
    pre_tokenizer(texts, text.part(1, 1), words);
    CHECK(words[0].text() == "_a");
    CHECK(words[1].text() == "b");
  }
}

TEST_CASE("of added tokens the longest counts at each place, from left to right") {
  const AddedTokenFinder finder({{.id = 1, .content = "ab"},
                                 {.id = 2, .content = "abc"},
                                 {.id = 3, .content = "<s>", .lstrip = true, .rstrip = true},
                                 {.id = 4, .content = "bcd"}});
  Words found;
  const std::string text = "xabcd abx \u3000<s>\n y<s>";
  finder.split(
      TextSection(text, 0), [&](const TextSection& rest) { found.emplace_back(rest.text()); },
      [&](const AddedToken& token, const TextSection& section) {
        found.push_back(std::to_string(token.id) + ":" + std::string(section.text()));
      });
  CHECK(found == Words{"x", "2:abc", "d ", "1:ab", "x", "3: \u3000<s>\n ", "y", "3:<s>"});
}

TEST_CASE("what a token strips is still searched, and never twice") {
  const AddedTokenFinder finder(
      {{.id = 1, .content = "<m>", .rstrip = true}, {.id = 2, .content = "\n", .lstrip = true}});
  const auto tokens = [&](const std::string& text) {
    Words found;
    finder.split(
        TextSection(text, 0), [&](const TextSection& rest) { found.emplace_back(rest.text()); },
        [&](const AddedToken& token, const TextSection& section) {
          found.push_back(std::to_string(token.id) + ":" + std::string(section.text()));
        });
    return found;
  };
  CHECK(tokens("a<m> \nb") == Words{"a", "1:<m> \n", "2:\n", "b"});
  CHECK(tokens("a  \nb") == Words{"a", "2:  \n", "b"});
  CHECK(tokens(std::string(200000, '\n')).size() == 200000);  // in a moment
}

TEST_CASE("a token that a normaliser takes away is nowhere") {
  const AddedTokenFinder finder({{.id = 1, .content = ""}});
  Words found;
  finder.split(
      TextSection(std::string_view("a\0b", 3), 0), [&](const TextSection& rest) { found.emplace_back(rest.text()); },
      [&](const AddedToken&, const TextSection&) { found.emplace_back("token"); });
  CHECK(found == Words{std::string("a\0b", 3)});
}

TEST_CASE("the steps of a tokenizer make at most 32 bytes of one and 1024") {
  DerivedBytes bytes("normalizer", 3);
  bytes.take(3 * 32 + 1000);
  bytes.take(24);
  CHECK_THROWS_WITH(bytes.take(1),
                    Contains("the steps of normalizer may make at most 1120 bytes of a text of 3 bytes, 32 of each"));
}

TEST_CASE("replacements that double a text again and again are refused") {
  Normalizer normalizer;
  for (int i = 0; i < 24; ++i) normalizer.add(ReplaceStep{"a", "aa"});
  CHECK(normalizer("b") == "b");
  CHECK_THROWS_WITH(normalizer("a"), Contains("normalizer and pre_tokenizer may make at most 1056 bytes"));
  CHECK_THROWS_WITH(normalizer(std::string(100'000, 'a')), Contains("at most 3201024 bytes of a text of 100000"));
}

TEST_CASE("divisions that put a character in front of each word again and again are refused") {
  PreTokenizer pre_tokenizer;  // a b a b ...: each divides what the one before it put there
  for (int i = 0; i < 40; ++i) pre_tokenizer.add(MetaspaceStep{i % 2 == 0 ? "b" : "a", PrependScheme::always, true});
  DerivedTexts texts(false, 1);
  PreTokenizer::Words words;
  CHECK_THROWS_WITH(pre_tokenizer(texts, TextSection("a", 0), words), Contains("at most 1056 bytes of a text of 1"));
}

TEST_CASE("an expression that goes back at many places gives up soon") {
  const RegularExpression expression("(a+)+$", "test");
  std::string text;
  for (int i = 0; i < 700; ++i) text += std::string(22, 'a') + 'c';  // four million steps for each run of a
  RegularExpression::Search search(expression, text);
  CHECK_THROWS_WITH(search.next(), Contains("\"(a+)+$\": match limit exceeded at byte "));
}

TEST_CASE("an expression that goes back a little more at one place finds what it would find") {
  const RegularExpression expression("(a+)+c|.", "test");
  const std::string text = std::string(12, 'a') + 'b' + std::string(14, 'a') + 'c';
  RegularExpression::Search search(expression, text);
  std::size_t end = 0;
  for (std::size_t i = 0; i < 13; ++i) {  // each letter before the b, and the b
    const auto match = search.next();
    REQUIRE(match.has_value());
    CHECK(match->begin == end);
    end = match->end;
  }
  const auto last = search.next();
  REQUIRE(last.has_value());
  CHECK(last->begin == 13);
  CHECK(last->end == text.size());
  CHECK_FALSE(search.next().has_value());
}

TEST_CASE("an expression that goes back again and again gives up and is named") {
  for (const char* pattern : {"(a+)+$", "(a|aa)+$"}) {
    INFO(pattern);
    const std::string text = std::string(5000, 'a') + "b";
    CHECK_THROWS_WITH(words_of(split(pattern), text), Contains("regular expression") && Contains(pattern));
  }
}
