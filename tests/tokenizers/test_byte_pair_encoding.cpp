// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "weft/tokenizers/byte_pair_encoding.hpp"

#include "support/catch.hpp"

using namespace weft::detail;

namespace {

using Ids = std::vector<std::int32_t>;
using TokenIds = std::map<std::string, std::int32_t>;

BytePairEncoding make_model(const TokenIds& ids, const std::vector<Merge>& merges, BPEOptions options) {
  Vocabulary vocabulary;
  for (const auto& [token, id] : ids) vocabulary.add(token, id, "vocab");
  return {std::move(vocabulary), Merges(merges), std::move(options)};
}

/// Letters, and merges of random tokens that are there already.
struct RandomVocabulary {
  TokenIds ids;
  std::vector<std::string> tokens;
  std::vector<Merge> merges;

  RandomVocabulary(unsigned seed, const std::vector<std::string>& letters, int count) {
    for (const auto& letter : letters) add(letter);
    std::mt19937 rng(seed);
    const auto any = [&] { return static_cast<std::int32_t>(rng() % tokens.size()); };
    for (int i = 0; i < count; ++i) {
      const std::int32_t left = any();
      const std::int32_t right = any();
      merges.push_back(
          {left, right, add(tokens[static_cast<std::size_t>(left)] + tokens[static_cast<std::size_t>(right)])});
    }
  }

  std::int32_t add(const std::string& token) {
    const auto [known, is_new] = ids.emplace(token, static_cast<std::int32_t>(tokens.size()));
    if (is_new) tokens.push_back(token);
    return known->second;
  }
};

/// By the definition: the merge of lowest rank that applies anywhere, at its leftmost place, until none does.
Ids encode_naive(const RandomVocabulary& vocabulary, Ids ids) {
  while (true) {
    std::size_t best_rank = vocabulary.merges.size();
    std::size_t best_at = 0;
    for (std::size_t at = 0; at + 1 < ids.size(); ++at) {
      for (std::size_t rank = vocabulary.merges.size(); rank-- > 0;) {  // of equal pairs the last counts
        const Merge& merge = vocabulary.merges[rank];
        if (merge.left != ids[at] || merge.right != ids[at + 1]) continue;
        if (rank < best_rank) {
          best_rank = rank;
          best_at = at;
        }
        break;
      }
    }
    if (best_rank == vocabulary.merges.size()) return ids;
    ids[best_at] = vocabulary.merges[best_rank].merged;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
}

std::vector<WordToken> encode(const BytePairEncoding& model, const std::string& word) {
  std::vector<WordToken> tokens;
  model.encode(word, tokens);
  return tokens;
}

Ids ids_of(const std::vector<WordToken>& tokens) {
  Ids ids;
  for (const WordToken& token : tokens) ids.push_back(token.id);
  return ids;
}

}  // namespace

TEST_CASE("words become what the definition of byte-pair encoding makes of them") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const RandomVocabulary vocabulary(seed, {"a", "b", "c"}, 12);
    const auto model = make_model(vocabulary.ids, vocabulary.merges, {});
    std::mt19937 rng(seed + 100);
    for (int length = 0; length < 40; ++length) {
      std::string word;
      Ids letters;
      for (int i = 0; i < length; ++i) {
        letters.push_back(static_cast<std::int32_t>(rng() % 3));
        word += vocabulary.tokens[static_cast<std::size_t>(letters.back())];
      }
      const auto tokens = encode(model, word);
      REQUIRE(ids_of(tokens) == encode_naive(vocabulary, letters));
      std::uint32_t end = 0;
      for (const WordToken& token : tokens) {  // they cover the word
        REQUIRE(token.begin == end);
        end = token.end;
        REQUIRE(word.substr(token.begin, token.end - token.begin) ==
                vocabulary.tokens[static_cast<std::size_t>(token.id)]);
      }
      REQUIRE(end == word.size());
    }
  }
}

TEST_CASE("a long word cut where no token spans has the same tokens") {
  const std::vector<std::string> letters{"a", "b", "c", "d", "\xC3\xA9", "_"};
  for (unsigned seed = 1; seed <= 10; ++seed) {
    const RandomVocabulary vocabulary(seed, letters, 10);
    const auto model = make_model(vocabulary.ids, vocabulary.merges, {.byte_fallback = true});
    std::mt19937 rng(seed);
    std::string word;
    for (int i = 0; i < 500; ++i) word += rng() % 50 == 0 ? "x" : letters[rng() % letters.size()];
    Ids in_parts;
    int parts = 0;
    for (std::string rest = word; !rest.empty(); ++parts) {
      const std::size_t length = model.first_part(rest);
      REQUIRE(length > 0);
      for (const WordToken& token : encode(model, rest.substr(0, length))) in_parts.push_back(token.id);
      rest.erase(0, length);
    }
    CHECK(parts > 1);
    CHECK(in_parts == ids_of(encode(model, word)));
  }
}

TEST_CASE("a character without a token becomes bytes, one unknown token for several, one for each, or nothing") {
  const TokenIds ids{{"a", 0}, {"<unk>", 1}, {"<0xC3>", 2}, {"<0xA9>", 3}};
  const std::string word = "a\xC3\xA9\xE3\x81\x82\xE3\x81\x82";  // a, é, and あ twice
  CHECK(ids_of(encode(make_model(ids, {}, {.byte_fallback = true, .unk_token = "<unk>"}), word)) == Ids{0, 2, 3, 1, 1});
  CHECK(ids_of(encode(make_model(ids, {}, {.fuse_unk = true, .unk_token = "<unk>"}), word)) == Ids{0, 1});
  CHECK(ids_of(encode(make_model(ids, {}, {.unk_token = "<unk>"}), word)) == Ids{0, 1, 1, 1});
  CHECK(ids_of(encode(make_model(ids, {}, {}), word)) == Ids{0});
  const auto fused = encode(make_model(ids, {}, {.fuse_unk = true, .unk_token = "<unk>"}), word);
  CHECK(fused[1].begin == 1);
  CHECK(fused[1].end == word.size());
  // What is spelled like the token is none of them.
  const auto spelled = make_model({{"?", 0}, {"a", 1}}, {}, {.fuse_unk = true, .unk_token = "?"});
  CHECK(ids_of(encode(spelled, "a?bc?")) == Ids{1, 0, 0, 0});
}

TEST_CASE("ignore_merges leaves a word whole that is a token, and divides others by the merges") {
  const TokenIds ids{{"a", 0}, {"b", 1}, {"ab", 2}, {"aba", 3}};
  const std::vector<Merge> merges{{0, 1, 2}};
  CHECK(ids_of(encode(make_model(ids, merges, {.ignore_merges = true}), "aba")) == Ids{3});
  CHECK(ids_of(encode(make_model(ids, merges, {.ignore_merges = true}), "abab")) == Ids{2, 2});
  CHECK(ids_of(encode(make_model(ids, merges, {}), "aba")) == Ids{2, 0});
}

TEST_CASE("byte-level words are bytes, whatever characters they make") {
  TokenIds ids;
  for (int byte = 0; byte < 256; ++byte) ids.emplace(byte_symbol(static_cast<unsigned char>(byte)), byte);
  CHECK(ids_of(encode(make_model(ids, {}, {.byte_level = true}), "a \xC3\xA9")) == Ids{'a', ' ', 0xC3, 0xA9});
  CHECK(bytes_of_symbols(byte_symbol(' ') + byte_symbol(0xFF)) == " \xFF");
  CHECK(bytes_of_symbols("a b") == "a b");  // a space is no symbol: the token stands for itself
}
