// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <vector>

#include "weft/tokenizers/tokenizer.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "tokenizers/tokenizer_files.hpp"

using namespace weft;

namespace {

using Ids = std::vector<std::int32_t>;

}  // namespace

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
}

TEST_CASE("a tokenizer is saved as it was read") {
  const testing::TemporaryFolder folder;
  const std::string json = golden_tokenizer("llama2");
  Tokenizer(json, "t.json").save(folder / "tokenizer.json");
  CHECK(read_text(folder / "tokenizer.json") == json);
  CHECK(Tokenizer::from_file(folder / "tokenizer.json").encode("In the") == Tokenizer(json, "t.json").encode("In the"));
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
