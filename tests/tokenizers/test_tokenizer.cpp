// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "weft/tokenizers/tokenizer.hpp"

#include "support/catch.hpp"
#include "tokenizers/tokenizer_files.hpp"

using namespace weft;
using Catch::Matchers::Contains;

namespace {

using Ids = std::vector<std::int32_t>;

}  // namespace

TEST_CASE("the smallest tokenizer is a model alone") {
  const Tokenizer tokenizer(small_tokenizer(), "t.json");
  CHECK(tokenizer.encode("abba") == Ids{2, 1, 0});
  CHECK(tokenizer.encode("").empty());
  CHECK(tokenizer.vocab_size() == 3);
  CHECK(tokenizer.token(2) == "ab");
  CHECK(tokenizer.token_id("ab") == 2);
  CHECK(tokenizer.token_id("c") == -1);
  CHECK(tokenizer.decode(Ids{2, 1}) == "ab b");  // no decoder: spaces between tokens
}

TEST_CASE("a template puts tokens around a text unless it is told not to") {
  const Tokenizer tokenizer(small_tokenizer(R"(, "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[X]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[Y]", "type_id": 0}}],
      "pair": [], "special_tokens": {"[X]": {"id": "[X]", "ids": [1, 1], "tokens": ["b", "b"]},
                                     "[Y]": {"id": "[Y]", "ids": [0], "tokens": ["a"]}}})"),
                            "t.json");
  CHECK(tokenizer.encode("ab") == Ids{1, 1, 2, 0});
  CHECK(tokenizer.encode("ab", {.add_special_tokens = false}) == Ids{2});
  const auto encoding = tokenizer.encode_with_offsets("ab");
  CHECK(encoding.offsets == std::vector<TextRange>{{0, 0}, {0, 0}, {0, 2}, {0, 0}});
}

TEST_CASE("special tokens are left out on request, other added tokens are not") {
  const Tokenizer tokenizer(small_tokenizer(R"(, "added_tokens": [
      {"id": 3, "content": "<s>", "special": true}, {"id": 4, "content": "<t>", "special": false}])"),
                            "t.json");
  const Ids ids = tokenizer.encode("<s>a<t>");
  CHECK(ids == Ids{3, 0, 4});
  CHECK(tokenizer.decode(ids, {.skip_special_tokens = true}) == "a <t>");
  CHECK(tokenizer.is_special(3));
  CHECK_FALSE(tokenizer.is_special(4));
  CHECK_FALSE(tokenizer.is_special(99));
}

TEST_CASE("special tokens that a text spells are text on request, other added tokens are not") {
  const Tokenizer tokenizer(golden_tokenizer("llama3"), "t.json");
  const std::string text = "a<|eot_id|>b <tool call>c";
  const auto usual = tokenizer.encode(text, {.add_special_tokens = false});
  const auto split = tokenizer.encode(text, {.add_special_tokens = false, .split_special_tokens = true});
  const auto count = [&](const auto& ids, const char* token) {
    return std::count(ids.begin(), ids.end(), tokenizer.token_id(token));
  };
  CHECK(count(usual, "<|eot_id|>") == 1);
  CHECK(count(split, "<|eot_id|>") == 0);
  CHECK(count(split, "<tool call>") == 1);
  CHECK(tokenizer.decode(split).starts_with("a<|eot_id|>b"));
  const auto offsets = tokenizer.encode_with_offsets(text, {.add_special_tokens = false, .split_special_tokens = true});
  CHECK(offsets.ids == split);
}

TEST_CASE("in a special token that is text no other token is looked for") {
  const Tokenizer tokenizer(small_tokenizer(R"(, "added_tokens": [
      {"id": 3, "content": "bab", "special": true}, {"id": 4, "content": "ba", "special": false}])"),
                            "t.json");
  const EncodeOptions split{.split_special_tokens = true};
  CHECK(tokenizer.encode("babba", split) == Ids{1, 2, 4});
  CHECK(tokenizer.encode("babba") == Ids{3, 4});
}

TEST_CASE("spaces before punctuation go if they are to") {
  const Tokenizer tokenizer(
      R"({"model": {"vocab": {"I": 0, "do": 1, "n't": 2, ".": 3, "'": 4, "x": 5}, "merges": []}})", "t.json");
  const Ids ids{0, 1, 2, 4, 5, 3};
  CHECK(tokenizer.decode(ids) == "I do n't ' x .");
  CHECK(tokenizer.decode(ids, {.clean_up_tokenization_spaces = true}) == "I don't'x.");
}

TEST_CASE("bytes that are no UTF-8 are encoded as U+FFFD and have their place in the text") {
  const Tokenizer tokenizer(golden_tokenizer("llama3"), "t.json");
  const std::string text = "a\xFF\xE3\x81 b";
  const auto encoding = tokenizer.encode_with_offsets(text, {.add_special_tokens = false});
  CHECK(encoding.ids == tokenizer.encode("a\uFFFD\uFFFD b", {.add_special_tokens = false}));
  CHECK(encoding.ids == tokenizer.encode(text, {.add_special_tokens = false}));
  CHECK(encoding.offsets.front() == TextRange{0, 1});
  CHECK(encoding.offsets.back().end == text.size());
  for (const auto& range : encoding.offsets) CHECK(range.begin < range.end);
}

TEST_CASE("a stream gives out whole characters, and joined what decode gives") {
  for (const char* name : {"llama3", "llama2", "metaspace_first"}) {
    const Tokenizer tokenizer(golden_tokenizer(name), name);
    const std::string text = "In the beginning \U0001F469\u200D\U0001F467 \u65E5\u672C.";
    const Ids ids = tokenizer.encode(text);
    auto stream = tokenizer.stream(true);
    std::string streamed;
    for (const std::int32_t id : ids) {
      const std::string piece = stream.push(id);
      CHECK(detail::is_utf8(piece));
      streamed += piece;
    }
    CHECK(streamed + stream.finish() == tokenizer.decode(ids, {.skip_special_tokens = true}));
    CHECK(streamed == text);
  }
}

TEST_CASE("an unfinished character is U+FFFD at the end of a stream") {
  const Tokenizer tokenizer(golden_tokenizer("llama3"), "t.json");
  const Ids ids = tokenizer.encode("\U0001F9FF", {.add_special_tokens = false});
  REQUIRE(ids.size() > 1);
  auto stream = tokenizer.stream();
  CHECK(stream.push(ids[0]).empty());
  CHECK(stream.finish() == "\uFFFD");
  CHECK(stream.finish().empty());
}

TEST_CASE("several threads may share a tokenizer") {
  const Tokenizer tokenizer(golden_tokenizer("gpt2"), "t.json");
  const std::string text = "And God said, Let there be light: and there was light.";
  const Ids expected = tokenizer.encode(text);
  std::vector<std::thread> threads;
  std::vector<int> same(4, 0);
  for (std::size_t i = 0; i < same.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int again = 0; again < 50; ++again) same[i] += tokenizer.encode(text) == expected ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(same == std::vector<int>(4, 50));
}

TEST_CASE("a long run of one letter, of spaces or of digits is encoded like any text") {
  for (const char* name : {"llama3", "gpt2", "llama2"}) {
    const Tokenizer tokenizer(golden_tokenizer(name), name);
    for (const char letter : {'a', ' ', '1', '\n'}) {
      const std::string text(1 << 17, letter);
      CHECK_FALSE(tokenizer.encode(text).empty());
    }
  }
}

TEST_CASE("a space before a byte that is no UTF-8 is trimmed and no more") {
  const Tokenizer tokenizer(golden_tokenizer("gpt2"), "t.json");
  const std::string text = "a b \x8D\xF0\x80 c";
  for (const TextRange range : tokenizer.encode_with_offsets(text).offsets) {
    CHECK(range.begin <= range.end);
    CHECK(range.end <= text.size());
  }
}

TEST_CASE("numbers that are no token are refused") {
  const Tokenizer tokenizer(small_tokenizer(), "t.json");
  CHECK_THROWS_WITH(tokenizer.decode(Ids{3}), Contains("less than 3, found 3"));
  CHECK_THROWS_WITH(tokenizer.decode(Ids{-1}), Contains("found -1"));
  CHECK_THROWS_WITH(tokenizer.stream().push(7), Contains("found 7"));
}

TEST_CASE("a token that is looked for in normalised text is decoded as that has it") {
  const Tokenizer tokenizer(R"({"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "_"},
      "added_tokens": [{"id": 1, "content": "b c", "normalized": true}], "decoder": {"type": "Fuse"},
      "model": {"vocab": {"a": 0}, "merges": []}})",
                            "t.json");
  CHECK(tokenizer.encode("ab c") == Ids{0, 1});
  CHECK(tokenizer.decode(Ids{0, 1}) == "ab_c");
  CHECK(tokenizer.token_id("b c") == 1);
}

TEST_CASE("a section's place in the text counts with offsets and without") {
  const Tokenizer tokenizer(R"({"normalizer": {"type": "Prepend", "prepend": "q "},
      "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
          {"type": "Split", "pattern": {"Regex": " "}, "behavior": "Removed"},
          {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"}]},
      "model": {"vocab": {"_": 0, "q": 1, "t": 2}, "merges": []}})",
                            "t.json");
  CHECK(tokenizer.encode("t") == tokenizer.encode_with_offsets("t").ids);
  CHECK(tokenizer.encode("t") == Ids{0, 1, 0, 2});  // both come from the text's first character
}

TEST_CASE("a decoder that changes joined bytes tells the text at the end") {
  std::string json = golden_tokenizer("llama3");
  const std::string level =
      R"("decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true})";
  REQUIRE(json.find(level) != std::string::npos);
  json.replace(json.find(level), level.size(),
               R"("decoder":{"type":"Sequence","decoders":[{"type":"ByteLevel"},{"type":"ByteFallback"}]})");
  const Tokenizer tokenizer(json, "t.json");
  const Ids ids = tokenizer.encode("<0x41> and \u00E9");
  auto stream = tokenizer.stream();
  std::string text;
  for (const std::int32_t id : ids) text += stream.push(id);
  CHECK(text.empty());
  CHECK(stream.finish() == tokenizer.decode(ids));
}
