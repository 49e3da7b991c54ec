// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "weft/tokenizers/train_bpe.hpp"

#include "support/captured_stderr.hpp"
#include "support/catch.hpp"

using namespace weft;
using Catch::Matchers::Contains;

namespace {

constexpr std::string_view kText =
    "In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was "
    "upon the face of the deep. And the Spirit of God moved upon the face of the waters.";

using Pair = std::pair<std::string, std::string>;

/// By the definition, all pairs counted anew for each merge. For texts in which no pair comes up again after it was
/// merged.
std::vector<Pair> merges_naive(const std::map<std::string, int>& words, std::size_t count,
                               const std::map<std::string, std::int32_t>& ids) {
  std::map<std::vector<std::string>, int> parts;
  for (const auto& [word, frequency] : words) {
    std::vector<std::string> letters;
    for (const char letter : word) letters.push_back(detail::byte_symbol(static_cast<unsigned char>(letter)));
    parts[letters] += frequency;
  }
  std::vector<Pair> merges;
  while (merges.size() < count) {
    std::map<Pair, int> counts;
    for (const auto& [letters, frequency] : parts) {
      for (std::size_t i = 0; i + 1 < letters.size(); ++i) counts[{letters[i], letters[i + 1]}] += frequency;
    }
    const auto before = [&](const auto& a, const auto& b) {
      if (a.second != b.second) return a.second < b.second;
      const auto key = [&](const Pair& pair) { return std::pair(ids.at(pair.first), ids.at(pair.second)); };
      return key(a.first) > key(b.first);
    };
    const auto best = std::max_element(counts.begin(), counts.end(), before);
    if (best == counts.end() || best->second < 2) break;
    merges.push_back(best->first);
    std::map<std::vector<std::string>, int> merged;
    for (const auto& [before_merge, frequency] : parts) {
      std::vector<std::string> letters = before_merge;
      for (std::size_t i = 0; i + 1 < letters.size(); ++i) {
        if (Pair{letters[i], letters[i + 1]} != merges.back()) continue;
        letters[i] += letters[i + 1];
        letters.erase(letters.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
      merged[letters] += frequency;
    }
    parts = std::move(merged);
  }
  return merges;
}

}  // namespace

TEST_CASE("the special tokens and the bytes are there however small the vocabulary is to be") {
  std::vector<std::string> notes;
  CHECK(train_bpe(kText, {}, &notes).vocab_size() == 263);
  BPETrainingOptions options;
  options.vocab_size = 20;
  for (const char* letter : {"A",
                             "R",
                             "N",
                             "D",
                             "C",
                             "E",
                             "Q",
                             "G",
                             "H",
                             "I",
                             "L",
                             "K",
                             "M",
                             "F",
                             "P",
                             "S",
                             "T",
                             "W",
                             "Y",
                             "V",
                             "<|AH|>",
                             "<|BS|>",
                             "<|UNSTRUCTURED|>",
                             "<|BEND|>",
                             "<|PHIHELIX|>",
                             "<|310HELIX|>",
                             "<|BETABRIDGE|>",
                             "<|T|>"}) {
    options.special_tokens.emplace_back(letter);
  }
  const Tokenizer proteins = train_bpe(kText, options, &notes);
  CHECK(proteins.vocab_size() == 271);
  CHECK(proteins.encode("AAI") == std::vector<std::int32_t>{7, 7, 16});
  CHECK(proteins.decode(proteins.encode("AAI"), {.skip_special_tokens = true}).empty());  // quirk K5
}

TEST_CASE("whoever asks for fewer tokens than there are in any case is told") {
  const auto notes_of = [](const BPETrainingOptions& options) {
    std::vector<std::string> notes;
    testing::CapturedStderr captured;
    train_bpe(kText, options, &notes);
    CHECK(captured.text().empty());
    return notes;
  };
  const std::string note =
      "train_bpe: vocab_size is 262, but the special tokens and the bytes alone are 263 tokens: the tokenizer has "
      "these, and "
      "no pair is merged (quirk K3)";
  CHECK(notes_of({.vocab_size = 262}) == std::vector<std::string>{note});
  CHECK(notes_of({.vocab_size = 263}).empty());
  CHECK(notes_of({.vocab_size = 256, .special_tokens = {}}).empty());
  CHECK(notes_of({.vocab_size = 255, .special_tokens = {"A"}}).size() == 1);  // "A" is a byte as well

  testing::CapturedStderr captured;
  train_bpe(kText, {.vocab_size = 262});
  CHECK(captured.text() == "weft: note: " + note + "\n");
}

TEST_CASE("what is learnt are the most frequent pairs, one after the other") {
  std::map<std::string, int> words;
  detail::PreTokenizer pre_tokenizer;
  pre_tokenizer.add(detail::ByteLevelStep{
      false, detail::SplitStep(std::make_shared<detail::RegularExpression>(detail::kByteLevelPattern, "test"))});
  detail::DerivedTexts texts(false, std::string_view(kText).size());
  detail::PreTokenizer::Words sections;
  pre_tokenizer(texts, detail::TextSection(kText, 0), sections);
  for (const auto& section : sections) ++words[std::string(section.text())];

  detail::BPETrainer trainer({});
  for (const auto& [word, count] : words) trainer.add_word(word, count);
  trainer.train(300, 2);
  std::map<std::string, std::int32_t> ids;
  for (std::size_t id = 0; id < trainer.tokens().size(); ++id)
    ids[trainer.tokens()[id]] = static_cast<std::int32_t>(id);
  std::vector<Pair> learnt;
  for (const auto& merge : trainer.merges()) {
    const auto token = [&](std::int32_t id) { return trainer.tokens()[static_cast<std::size_t>(id)]; };
    learnt.emplace_back(token(merge.pair.first), token(merge.pair.second));
  }
  CHECK(learnt.size() > 20);
  CHECK(learnt == merges_naive(words, learnt.size(), ids));
}

TEST_CASE("pairs that are rarer than min_frequency are not merged") {
  const BPETrainingOptions options{.vocab_size = 1000, .min_frequency = 3, .special_tokens = {}};
  CHECK(train_bpe("ab ab", options).vocab_size() == 256);
  CHECK(train_bpe("ab ab ab", options).token_id("ab") == 256);
}

TEST_CASE("the order of texts changes nothing, and neither does a text cut between words") {
  const std::size_t cut = kText.find(" And");
  const std::vector<std::string_view> one{kText.substr(0, cut), kText.substr(cut)};
  const std::vector<std::string_view> other{kText.substr(cut), kText.substr(0, cut)};
  const BPETrainingOptions options{.vocab_size = 320};
  CHECK(train_bpe(one, options).json() == train_bpe(other, options).json());
  CHECK(train_bpe(kText, options).json() == train_bpe(one, options).json());
}

TEST_CASE("a trained tokenizer gives back every text, and special tokens are whole") {
  const Tokenizer tokenizer = train_bpe(kText, {.vocab_size = 320});
  for (const auto& text : {std::string(kText), std::string("\u00E9 \U0001F600\t\n  x"), std::string()}) {
    CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
  }
  CHECK(tokenizer.encode("<|eot_id|>") == std::vector<std::int32_t>{1});
  CHECK(tokenizer.encode(" the").size() == 1);
}

TEST_CASE("options that make no sense are refused") {
  CHECK_THROWS_WITH(train_bpe(kText, {.vocab_size = 0}), Contains("vocab_size must be positive, found 0"));
  CHECK_THROWS_WITH(train_bpe(kText, {.special_tokens = {""}}), Contains("must not be empty"));
  CHECK_THROWS_WITH(train_bpe(kText, {.special_tokens = {"\xFF"}}), Contains("must be UTF-8"));
}
