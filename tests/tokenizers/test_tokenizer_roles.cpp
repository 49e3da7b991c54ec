// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "weft/io/pretrained.hpp"
#include "weft/tokenizers/train_bpe.hpp"

#include "models/tiny_models.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"
#include "tokenizers/tokenizer_files.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;
using detail::Json;

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kText = "In the beginning God created the heaven and the earth.";

Json json_in(const std::string& path) { return detail::parse_json(read_text(path), path); }

std::string text_of(const Json& json, const char* member) {
  const Json* found = json.find(member);
  const auto* text = found != nullptr ? found->get_if<std::string>() : nullptr;
  return text != nullptr ? *text : "no text";
}

bool is_empty(const TokenizerRemainder& remainder) {
  return remainder.tokenizer_config.empty() && remainder.special_tokens_map.empty();
}

/// What the program that made the folder said beside its tokenizer.
TokenizerRemainder own_files() {
  return {"{\"tokenizer_class\":  \"PreTrainedTokenizerFast\", \"eos_token\": \"<|end|>\"}",
          "{ \"eos_token\": \"<|end|>\" }\n\n"};
}

void write_files(const std::string& folder, const TokenizerRemainder& files) {
  detail::make_folders(folder);
  write_text(folder + "/tokenizer.json", golden_tokenizer("trained"));
  detail::write_text_or_remove(folder + "/tokenizer_config.json", files.tokenizer_config);
  detail::write_text_or_remove(folder + "/special_tokens_map.json", files.special_tokens_map);
}

}  // namespace

TEST_CASE("the folder of a trained tokenizer says what its special tokens are for") {
  const TemporaryFolder folder;
  const Tokenizer tokenizer = train_bpe(kText, {.vocab_size = 280});
  tokenizer.save_pretrained(folder / "new/tokenizer");
  CHECK(read_text(folder / "new/tokenizer/tokenizer.json") == tokenizer.json());
  const Json config = json_in(folder / "new/tokenizer/tokenizer_config.json");
  const Json map = json_in(folder / "new/tokenizer/special_tokens_map.json");
  const std::pair<const char*, const char*> roles[]{{"bos_token", "<|begin_of_text|>"},
                                                    {"eos_token", "<|eot_id|>"},
                                                    {"pad_token", "<|pad|>"},
                                                    {"unk_token", "<|unk|>"},
                                                    {"mask_token", "<|mask|>"}};
  for (const auto& [role, token] : roles) {
    CHECK(text_of(config, role) == token);
    CHECK(text_of(map, role) == token);
  }
  const Json additional = Json::Array{"<|sequence|>", "<|/sequence|>"};
  CHECK(*config.find("additional_special_tokens") == additional);
  CHECK(*map.find("additional_special_tokens") == additional);
  CHECK(text_of(config, "tokenizer_class") == "PreTrainedTokenizerFast");
  CHECK(text_of(config, "padding_side") == "right");
  CHECK(*config.find("clean_up_tokenization_spaces") == Json(true));
  CHECK(*config.find("model_input_names") == Json(Json::Array{"input_ids", "attention_mask"}));
}

TEST_CASE("a role whose token is no special token is refused by its name") {
  const auto train = [](const BPETrainingOptions& options) { train_bpe(kText, options); };
  CHECK_THROWS_WITH(train({.vocab_size = 300, .special_tokens = {"<|pad|>", "<|eot_id|>"}, .roles = TokenizerRoles{}}),
                    "train_bpe: roles.bos_token must be one of special_tokens (quirk K2), found \"<|begin_of_text|>\"");
  CHECK_THROWS_WITH(train({.vocab_size = 300, .roles = TokenizerRoles{.mask_token = "<mask>"}}),
                    ContainsSubstring("roles.mask_token must be one of") && ContainsSubstring("\"<mask>\""));
  CHECK_THROWS_WITH(train({.vocab_size = 300, .roles = TokenizerRoles{.additional_special_tokens = {"the"}}}),
                    ContainsSubstring("roles.additional_special_tokens must be") && ContainsSubstring("\"the\""));
}

TEST_CASE("roles have the names that they are given, and a role without a token has none") {
  const BPETrainingOptions options{
      .vocab_size = 300,
      .special_tokens = {"</s>", "<s>"},
      .roles = TokenizerRoles{"<s>", "</s>", "</s>", "", "", {}},
  };
  const TokenizerRemainder remainder = train_bpe(kText, options).remainder;
  const Json config = detail::parse_json(remainder.tokenizer_config, "config");
  CHECK(text_of(config, "bos_token") == "<s>");
  CHECK(text_of(config, "pad_token") == "</s>");
  CHECK(config.find("unk_token") == nullptr);
  CHECK(config.find("mask_token") == nullptr);
  CHECK(detail::parse_json(remainder.special_tokens_map, "map") ==
        Json(Json::Object{{"additional_special_tokens", Json::Array()},
                          {"bos_token", "<s>"},
                          {"eos_token", "</s>"},
                          {"pad_token", "</s>"}}));
}

TEST_CASE("a trained tokenizer has the roles of the reference by itself only with its seven special tokens") {
  const TemporaryFolder folder;
  CHECK_FALSE(is_empty(train_bpe(kText, {.vocab_size = 300}).remainder));
  BPETrainingOptions options{.vocab_size = 300};
  options.special_tokens.erase(options.special_tokens.begin() + 4);
  const Tokenizer six = train_bpe(kText, options);
  CHECK(is_empty(six.remainder));
  six.save_pretrained(folder.path());
  CHECK(fs::exists(folder / "tokenizer.json"));
  CHECK_FALSE(fs::exists(folder / "tokenizer_config.json"));
  CHECK_FALSE(fs::exists(folder / "special_tokens_map.json"));
}

TEST_CASE("what stands beside a tokenizer goes with it as it came") {
  const TemporaryFolder folder;
  const TokenizerRemainder files = own_files();
  write_files(folder / "first", files);
  const Tokenizer tokenizer = Tokenizer::from_file(folder / "first/tokenizer.json");
  tokenizer.save_pretrained(folder / "second");
  save_pretrained(random_model<TinyLlama>(1), tokenizer, folder / "third");
  for (const char* copy : {"second", "third"}) {
    const std::string path = folder / copy;
    CHECK(read_text(path + "/tokenizer.json") == golden_tokenizer("trained"));
    CHECK(read_text(path + "/tokenizer_config.json") == files.tokenizer_config);
    CHECK(read_text(path + "/special_tokens_map.json") == files.special_tokens_map);
  }

  // One file alone stays alone, and the neighbours of another name are not its own.
  write_files(folder / "one", {files.tokenizer_config, ""});
  const TokenizerRemainder one = Tokenizer::from_file(folder / "one/tokenizer.json").remainder;
  CHECK(one.tokenizer_config == files.tokenizer_config);
  CHECK(one.special_tokens_map.empty());
  fs::rename(folder / "one/tokenizer.json", folder / "one/old_tokenizer.json");
  CHECK(is_empty(Tokenizer::from_file(folder / "one/old_tokenizer.json").remainder));
}

TEST_CASE("a tokenizer that is saved over another one leaves none of its files") {
  const TemporaryFolder folder;
  const Tokenizer other(golden_tokenizer("llama2"), "golden");
  for (const bool with_model : {false, true}) {
    write_files(folder.path(), own_files());
    if (with_model) {
      save_pretrained(random_model<TinyLlama>(1), other, folder.path());
    } else {
      other.save_pretrained(folder.path());
    }
    CHECK(read_text(folder / "tokenizer.json") == golden_tokenizer("llama2"));
    CHECK_FALSE(fs::exists(folder / "tokenizer_config.json"));
    CHECK_FALSE(fs::exists(folder / "special_tokens_map.json"));
  }
}

TEST_CASE("a model that is saved without a tokenizer takes none of its files along") {
  const TemporaryFolder folder;
  save_pretrained(random_model<TinyLlama>(1), folder / "first");
  write_files(folder / "first", own_files());
  save_pretrained(load_pretrained<TinyLlama>(folder / "first"), folder / "second");
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}) {
    CHECK_FALSE(fs::exists(folder.path() + "/second/" + name));
  }
}
