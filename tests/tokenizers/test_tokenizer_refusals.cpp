// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "weft/tokenizers/tokenizer.hpp"

#include "support/catch.hpp"
#include "tokenizers/tokenizer_files.hpp"

using namespace weft;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

void refuses(const std::string& json, const std::string& place, const std::string& what) {
  CAPTURE(json);
  CHECK_THROWS_WITH(Tokenizer(json, "t.json"), StartsWith("t.json") && Contains(place) && Contains(what));
}

}  // namespace

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

TEST_CASE("a message about a file has one line, whatever the file says") {
  refuses(small_tokenizer(R"(, "post_processor": {"type": "TemplateProcessing", "special_tokens": {},
                              "single": [{"SpecialToken": {"id": "\n", "type_id": 0}}], "pair": []})"),
          "post_processor", "special_tokens has no \"\\n\"");
  refuses(small_tokenizer(R"(, "lo\nom": 1)"), "t.json: \"lo\\nom\"", "is not known here");
  refuses(
      small_tokenizer(R"(, "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(\n"}, "behavior": "Isolated"})"),
      "no regular expression", "found \"(\\n\"");
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

TEST_CASE("what is not supported is refused with what is") {
  refuses(small_tokenizer(R"(, "truncation": 8)"), "t.json.truncation", "must be an object, found 8");
  refuses(small_tokenizer(R"(, "padding": "BatchLongest")"), "t.json.padding", "must be an object");
  refuses(small_tokenizer(R"(, "loom": 1)"), "t.json: \"loom\"", "is not known here");
  refuses(small_tokenizer(R"(, "normalizer": {"type": "Lowercase"})"), "normalizer.type",
          "Prepend, Replace, NFC, NFD, NFKC, NFKD, found \"Lowercase\"");
  refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "BertPreTokenizer"})"), "pre_tokenizer.type",
          "ByteLevel, Metaspace");
  refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "Split", "pattern": {"String": ""}, "behavior": "Isolated"})"),
          "pre_tokenizer.pattern.String", "must not be empty");
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
  refuses(small_tokenizer(R"(, "pre_tokenizer": {"type": "Digits", "individual_digits": 1})"),
          "pre_tokenizer.individual_digits", "must be true or false");
  refuses(small_tokenizer(R"(, "decoder": {"type": "CTC"})"), "decoder.type", "Metaspace");
  refuses(small_tokenizer("", R"(, "dropout": 0.1)"), "model.dropout", "is not supported");
  refuses(small_tokenizer("", R"(, "end_of_word_suffix": "</w>")"), "model.end_of_word_suffix", "is not supported");
  refuses(R"({"model": {"type": "Unigram", "vocab": []}})", "model.type", "must be one of BPE");
  refuses(small_tokenizer(R"(, "added_tokens": [{"id": 3, "content": "x", "single_word": true}])"),
          "added_tokens[0].single_word", "is not supported");
}
