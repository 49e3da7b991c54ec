// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "weft/io/pretrained.hpp"
#include "weft/models/generate.hpp"
#include "weft/tokenizers/tokenizer.hpp"
#include "weft/tokenizers/train_bpe.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "tokenizers/tokenizer_files.hpp"

using namespace weft;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

using Ids = std::vector<std::int32_t>;

void refuses(const std::string& json, const std::string& place, const std::string& what) {
  CAPTURE(json);
  CHECK_THROWS_WITH(Tokenizer(json, "t.json"), StartsWith("t.json") && Contains(place) && Contains(what));
}

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

TEST_CASE("a template that repeats tokens has at most 256 of them") {
  const auto with_template = [](int pieces, int ids) {
    std::string single;
    for (int i = 0; i < pieces; ++i) single += R"({"SpecialToken": {"id": "[X]", "type_id": 0}}, )";
    std::string numbers = "0";
    for (int i = 1; i < ids; ++i) numbers += ", 0";
    return small_tokenizer(R"(, "post_processor": {"type": "TemplateProcessing", "single": [)" + single +
                           R"({"Sequence": {"id": "A", "type_id": 0}}], "pair": [],
        "special_tokens": {"[X]": {"id": "[X]", "tokens": [], "ids": [)" +
                           numbers + "]}}}");
  };
  CHECK(Tokenizer(with_template(16, 16), "t.json").encode("").size() == 256);
  refuses(with_template(17, 16), "post_processor.single[16]", "at most 256 special tokens, found more");
  refuses(with_template(1000, 1000), "post_processor.single[0]", "at most 256 special tokens, found more");
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

TEST_CASE("the members of a file may have any order") {
  const Tokenizer tokenizer(R"({"added_tokens": [{"id": 3, "content": "<s>"}],
      "model": {"merges": ["a b", ["ab", "a"]], "vocab": {"aba": 7, "ab": 2, "b": 1, "a": 0}, "type": "BPE"}})",
                            "t.json");
  CHECK(tokenizer.encode("abab<s>aba") == Ids{2, 2, 3, 7});
  CHECK(tokenizer.vocab_size() == 8);
  CHECK(tokenizer.token(7) == "aba");
  CHECK(tokenizer.token_id("ab") == 2);
}

TEST_CASE("digits are divided from other characters, in rows or one by one") {
  const auto with = [](const std::string& members) {
    return Tokenizer(R"({"model": {"vocab": {"1": 0, "\u0662": 1, "1\u0662": 2, "x": 3, "x1": 4, "2x": 5, "2": 6},
                       "merges": ["x 1", "1 \u0662", "2 x"]}, "pre_tokenizer": {"type": "Digits")" +
                         members + "}}",
                     "t.json");
  };
  const std::string text = "x1\u0662x2x";
  CHECK(with("").encode(text) == Ids{3, 2, 3, 6, 3});
  CHECK(with(R"(, "individual_digits": false)").encode(text) == Ids{3, 2, 3, 6, 3});
  CHECK(with(R"(, "individual_digits": true)").encode(text) == Ids{3, 0, 1, 3, 6, 3});
  refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "Digits", "individual_digits": 1})"),
          "pre_tokenizer.individual_digits", "must be true or false");
}

TEST_CASE("a tokenizer is saved as it was read") {
  const testing::TemporaryFolder folder;
  const std::string json = golden_tokenizer("llama2");
  Tokenizer(json, "t.json").save(folder / "tokenizer.json");
  CHECK(read_text(folder / "tokenizer.json") == json);
  CHECK(Tokenizer::from_file(folder / "tokenizer.json").encode("In the") == Tokenizer(json, "t.json").encode("In the"));
}

TEST_CASE("a space before a byte that is no UTF-8 is trimmed and no more") {
  const Tokenizer tokenizer(golden_tokenizer("gpt2"), "t.json");
  const std::string text = "a b \x8D\xF0\x80 c";
  for (const TextRange range : tokenizer.encode_with_offsets(text).offsets) {
    CHECK(range.begin <= range.end);
    CHECK(range.end <= text.size());
  }
}

TEST_CASE("a message about a file has one line, whatever the file says") {
  refuses(small_tokenizer(R"(, "post_processor": {"type": "TemplateProcessing", "special_tokens": {},
                              "single": [{"SpecialToken": {"id": "\n", "type_id": 0}}], "pair": []})"),
          "post_processor", "special_tokens has no \"\\n\"");
  refuses(small_tokenizer(R"(, "lo\nom": 1)"), "t.json: \"lo\\nom\"", "is not known here");
  refuses(
      small_tokenizer(R"(, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(\n"}, "behavior": "Isolated"})"),
      "no regular expression", "found \"(\\n\"");
}

TEST_CASE("numbers that are no token are refused") {
  const Tokenizer tokenizer(small_tokenizer(), "t.json");
  CHECK_THROWS_WITH(tokenizer.decode(Ids{3}), Contains("less than 3, found 3"));
  CHECK_THROWS_WITH(tokenizer.decode(Ids{-1}), Contains("found -1"));
  CHECK_THROWS_WITH(tokenizer.stream().push(7), Contains("found 7"));
}

TEST_CASE("a file that is damaged is refused with the place") {
  refuses("", "t.json", "");
  refuses("[]", "t.json", "an object is expected");
  refuses("{}", "t.json.model", "is expected, but not there");
  refuses(R"({"model": {"vocab": {"a": -1}, "merges": []}})", "model.vocab", "whole number");
  refuses(R"({"model": {"vocab": {"a": 2147483647}, "merges": []}})", "model.vocab", "whole number");
  refuses(R"({"model": {"vocab": {"a": 0, "a": 1}, "merges": []}})", "model.vocab", "\"a\" must not appear twice");
  refuses(R"({"model": {"vocab": [["a", 0]], "merges": []}})", "model.vocab", "must be an object, found [[\"a\",0]]");
  refuses(R"({"model": {"vocab": {"a": 0}, "merges": {"a": "b"}}})", "model.merges", "must be a list");
  refuses(R"({"model": {"vocab": {"a": 0}}})", "model.merges", "is expected, but not there");
  refuses(R"({"model": {"vocab": {"a": 0, "b": 0}, "merges": []}})", "model.vocab", "has 0 for \"a\" and for \"b\"");
  refuses(R"({"model": {"vocab": {"a": 0}, "merges": ["a b"]}})", "model.merges[0]", "\"b\" is not in the vocabulary");
  refuses(R"({"model": {"vocab": {"a": 0, "b": 1}, "merges": ["a b"]}})", "model.merges[0]",
          "\"ab\" is not in the voc");
  for (const char* merge : {"\"ab\"", "\"a b c\"", "[\"a\"]", "7", "[\"a\", 1]"}) {
    refuses(R"({"model": {"vocab": {"a": 0}, "merges": [)" + std::string(merge) + "]}}", "model.merges[0]",
            "must be two tokens");
  }
  refuses(small_tokenizer("", R"(, "unk_token": "?")"), "model.unk_token", "must be in the vocabulary");
  refuses(small_tokenizer(R"(, "added_tokens": [{"id": 3, "content": ""}])"), "added_tokens[0].content",
          "not be empty");
  refuses(small_tokenizer(R"(, "added_tokens": [{"id": 7, "content": "a"}])"), "added_tokens[0].id", "must be 0");
  refuses(small_tokenizer(R"(, "added_tokens": [{"id": 0, "content": "x"}])"), "added_tokens[0].id", "0 is \"a\"");
}

TEST_CASE("patterns that match nothing, and characters that are none, are refused") {
  const std::string replace = R"({"type": "Replace", "pattern": {"String": ""}, "content": "x"})";
  refuses(small_tokenizer(", \"normalizer\": " + replace), "normalizer.pattern.String", "must not be empty");
  refuses(small_tokenizer(", \"decoder\": " + replace), "decoder.pattern.String", "must not be empty");
  for (const char* text : {"", "ab"}) {
    const std::string quoted = concat("\"", text, "\"");
    refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "Metaspace", "replacement": )" + quoted + "}"),
            "pre_tokenizer.replacement", "one character");
    refuses(small_tokenizer(R"(, "decoder": {"type": "Metaspace", "replacement": )" + quoted + "}"),
            "decoder.replacement", "one character");
    refuses(small_tokenizer(R"(, "decoder": {"type": "Strip", "start": 1, "stop": 0, "content": )" + quoted + "}"),
            "decoder.content", "one character");
  }
  refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "Metaspace", "replacement": "_", "add_prefix_space": false,
                              "prepend_scheme": "first"})"),
          "pre_tokenizer.prepend_scheme", "must be \"never\"");
  refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "ByteLevel"})", R"(, "byte_fallback": true)"),
          "model.byte_fallback", "lacks some of them");
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

TEST_CASE("a split by a text takes it as it is, in each way") {
  const auto encode = [](const std::string& members) {
    return Tokenizer(R"({"model": {"vocab": {"a": 0, "b": 1, "ab": 2, ".": 3, "a.": 4}, "merges": ["a b", "a ."]},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": "."}, )" +
                         members + "}}",
                     "t.json")
        .encode("a.ab");
  };
  CHECK(encode(R"("behavior": "Removed")") == Ids{0, 2});
  CHECK(encode(R"("behavior": "Removed", "invert": true)") == Ids{3});
  CHECK(encode(R"("behavior": "Isolated", "invert": false)") == Ids{0, 3, 2});
  CHECK(encode(R"("behavior": "Contiguous")") == Ids{0, 3, 2});
  CHECK(encode(R"("behavior": "MergedWithPrevious")") == Ids{4, 2});
  CHECK(encode(R"("behavior": "MergedWithNext")") == Ids{0, 3, 2});
}

TEST_CASE("words are divided at white space, at all that is no letter or number, or at punctuation") {
  const auto words = [](const std::string& members, const std::string& text) {
    const Tokenizer tokenizer(R"({"model": {"vocab": {"?": 0}, "merges": [], "unk_token": "?", "fuse_unk": true},
        "pre_tokenizer": )" + members +
                                  "}",
                              "t.json");
    std::vector<std::string> found;
    for (const TextRange range : tokenizer.encode_with_offsets(text).offsets) {
      found.push_back(text.substr(range.begin, range.end - range.begin));
    }
    return found;
  };
  using Words = std::vector<std::string>;
  const std::string text = "Don't pay $5,\u3000a_b e\u0301\u00BF\n";
  CHECK(words(R"({"type": "Whitespace"})", text) ==
        Words{"Don", "'", "t", "pay", "$", "5", ",", "a_b", "e\u0301", "\u00BF"});
  CHECK(words(R"({"type": "WhitespaceSplit"})", text) == Words{"Don't", "pay", "$5,", "a_b", "e\u0301\u00BF"});
  CHECK(words(R"({"type": "Punctuation"})", text) ==
        Words{"Don", "'", "t pay ", "$", "5", ",", "\u3000a", "_", "b e\u0301", "\u00BF", "\n"});
  CHECK(words(R"({"type": "Punctuation", "behavior": "Removed"})", "a!b") == Words{"a", "b"});
  CHECK(words(R"({"type": "Whitespace"})", "\u0663\u2160\u24B6\u00B2 \u200D") ==
        Words{"\u0663\u2160\u24B6", "\u00B2", "\u200D"});
}

TEST_CASE("a normaliser replaces what an expression matches") {
  const Tokenizer tokenizer(
      small_tokenizer(R"(, "normalizer": {"type": "Replace", "pattern": {"Regex": "b+"}, "content": "b"})"), "t.json");
  const auto encoding = tokenizer.encode_with_offsets("abbba");
  CHECK(encoding.ids == Ids{2, 0});
  CHECK(encoding.offsets == std::vector<TextRange>{{0, 4}, {4, 5}});
}

TEST_CASE("settings for rows of texts are kept and cut or fill up nothing") {
  const std::string settings =
      R"("truncation":{"direction":"Right","max_length":2,"strategy":"LongestFirst","stride":0},)"
      R"("padding":{"strategy":{"Fixed":9},"direction":"Right","pad_to_multiple_of":null,"pad_id":0,"pad_type_id":0,"pad_token":"<unk>"})";
  std::string json = golden_tokenizer("llama2");
  const std::string none = R"("truncation":null,"padding":null)";
  REQUIRE(json.find(none) != std::string::npos);
  const Ids plain = Tokenizer(json, "t.json").encode("In the beginning");
  json.replace(json.find(none), none.size(), settings);
  const Tokenizer tokenizer(json, "t.json");
  REQUIRE(plain.size() > 2);
  CHECK(tokenizer.encode("In the beginning") == plain);
  const testing::TemporaryFolder folder;
  tokenizer.save(folder / "tokenizer.json");
  CHECK(read_text(folder / "tokenizer.json") == json);
}

TEST_CASE("what is not supported is refused with what is") {
  refuses(small_tokenizer(R"(, "truncation": 8)"), "t.json.truncation", "must be an object, found 8");
  refuses(small_tokenizer(R"(, "padding": "BatchLongest")"), "t.json.padding", "must be an object");
  refuses(small_tokenizer(R"(, "loom": 1)"), "t.json: \"loom\"", "is not known here");
  refuses(small_tokenizer(R"(, "normalizer": {"type": "Lowercase"})"), "normalizer.type",
          "Prepend, Replace, NFC, NFD, NFKC, NFKD, found \"Lowercase\"");
  refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "BertPreTokenizer"})"), "pre_tokenizer.type",
          "ByteLevel, Metaspace");
  refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "Split", "pattern": {"Glob": " "}, "behavior": "Isolated"})"),
          "pre_tokenizer.pattern.Regex", "is expected");
  refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": " "}, "behavior": "Loose"})"),
          "pre_tokenizer.behavior",
          "Removed, Isolated, Contiguous, MergedWithPrevious, MergedWithNext, found \"Loose\"");
  refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"},
                              {"type": "Metaspace", "replacement": "_"}]})"),
          "pre_tokenizer.pretokenizers[1]", "nothing may follow ByteLevel");
  refuses(small_tokenizer(R"(, "post_processor": {"type": "BertProcessing"})"), "post_processor.type",
          "TemplateProcessing");
  refuses(small_tokenizer(R"(, "decoder": {"type": "CTC"})"), "decoder.type", "Metaspace");
  refuses(small_tokenizer("", R"(, "dropout": 0.1)"), "model.dropout", "is not supported");
  refuses(small_tokenizer("", R"(, "end_of_word_suffix": "</w>")"), "model.end_of_word_suffix", "is not supported");
  refuses(R"({"model": {"type": "Unigram", "vocab": []}})", "model.type", "must be one of BPE");
  refuses(small_tokenizer(R"(, "added_tokens": [{"id": 3, "content": "x", "single_word": true}])"),
          "added_tokens[0].single_word", "is not supported");
}
