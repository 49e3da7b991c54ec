// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "weft/tokenizers/merges.hpp"
#include "weft/tokenizers/vocabulary.hpp"

#include "support/catch.hpp"

using namespace weft::detail;

TEST_CASE("a vocabulary finds what a map of its tokens finds, by text and by number") {
  std::mt19937 rng(1);
  Vocabulary vocabulary;
  std::map<std::string, std::int32_t> by_text;
  std::map<std::int32_t, std::string> by_id;
  CHECK(vocabulary.id_of("") == -1);
  CHECK_FALSE(vocabulary.text_of(0).has_value());
  while (by_text.size() < 3000) {  // grows several times; the largest numbers and the empty text are tokens like others
    std::string text(rng() % 6, 'a');
    for (char& letter : text) letter = static_cast<char>('a' + rng() % 7);
    const auto id = static_cast<std::int32_t>(rng() % 4 == 0 ? 2147483646 - rng() % 9999 : rng() % 9999);
    if (by_text.contains(text) || by_id.contains(id)) continue;
    vocabulary.add(text, id, "vocab");
    by_text[text] = id;
    by_id[id] = text;
  }
  const Vocabulary copy = vocabulary;
  vocabulary = Vocabulary();
  CHECK(vocabulary.size() == 0);
  CHECK(copy.size() == by_text.size());
  CHECK(copy.end_id() == by_id.rbegin()->first + 1);
  bool same = true;
  for (const auto& [text, id] : by_text) same = same && copy.id_of(text) == id && copy.text_of(id) == text;
  CHECK(same);
  CHECK(copy.id_of("aaaaaaaaaaaa") == -1);
  CHECK_FALSE(copy.text_of(-1).has_value());
}

TEST_CASE("a vocabulary refuses a text and a number that it has") {
  Vocabulary vocabulary;
  vocabulary.add("a", 3, "f.vocab");
  CHECK_THROWS_WITH(vocabulary.add("a", 4, "f.vocab"), "f.vocab: the key \"a\" must not appear twice");
  CHECK_THROWS_WITH(vocabulary.add("b", 3, "f.vocab"), "f.vocab has 3 for \"a\" and for \"b\"");
}

TEST_CASE("of equal merges the last one counts, at its rank") {
  const Merges merges({{1, 2, 3}, {2, 1, 4}, {1, 2, 5}, {-1, 2, 6}});
  CHECK(merges.rank(1, 2) == 2);
  CHECK(merges[merges.rank(1, 2)].merged == 5);
  CHECK(merges.rank(2, 1) == 1);
  CHECK(merges.rank(-1, 2) == 3);
  CHECK(merges.rank(2, 2) == Merges::kNone);
  CHECK(Merges().rank(1, 2) == Merges::kNone);
}
