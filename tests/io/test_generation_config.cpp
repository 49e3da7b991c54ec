// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "weft/io/generation_config.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace weft;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("what a model's files say of generation is read") {
  const auto options = parse_generation_config(R"({"bos_token_id": 1, "eos_token_id": [2, 7], "do_sample": true,
      "temperature": 0.6, "top_k": 40, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.2,
      "max_new_tokens": 12, "transformers_version": "4.46.0"})");
  CHECK(options.sampling.sample);
  CHECK(options.sampling.temperature == 0.6);
  CHECK(options.sampling.top_k == 40);
  CHECK(options.sampling.top_p == 0.9);
  CHECK(options.sampling.min_p == 0.05);
  CHECK(options.sampling.repetition_penalty == 1.2);
  CHECK(options.max_new_tokens == 12);
  CHECK(options.stop_tokens == std::vector<Index>{2, 7});
}

TEST_CASE("what is absent or null has the defaults of Hugging Face") {
  const auto options =
      parse_generation_config(R"({"temperature": null, "eos_token_id": 2, "num_beams": 1, "min_p": null})");
  CHECK_FALSE(options.sampling.sample);
  CHECK(options.sampling.temperature == 1);
  CHECK(options.sampling.top_k == 50);
  CHECK(options.sampling.top_p == 1);
  CHECK(options.sampling.min_p == 0);
  CHECK(options.sampling.repetition_penalty == 1);
  CHECK(options.stop_tokens == std::vector<Index>{2});
}

TEST_CASE("a folder without the file has the defaults of this library") {
  const testing::TemporaryFolder folder;
  CHECK(read_generation_config(folder.path()).sampling.top_k == 0);
  write_text(folder / "generation_config.json", R"({"top_k": 3})");
  CHECK(read_generation_config(folder.path()).sampling.top_k == 3);
}

TEST_CASE("a file that is a link to nothing is not absent") {
  const testing::TemporaryFolder folder;
  std::filesystem::create_symlink("nowhere", folder / "generation_config.json");
  CHECK_THROWS_WITH(read_generation_config(folder.path()),
                    ContainsSubstring("generation_config.json: No such file or directory"));
}

TEST_CASE("what would make another text and is not supported is refused by name") {
  const auto refuses = [](const char* text, const char* what) {
    CHECK_THROWS_WITH(parse_generation_config(text),
                      ContainsSubstring("generation_config.json: ") && ContainsSubstring(what));
  };
  refuses(R"({"num_beams": 4})", "num_beams must be 1, because nothing else is supported, found 4");
  refuses(R"({"encoder_repetition_penalty": 1.1})", "encoder_repetition_penalty must be 1");
  refuses(R"({"suppress_tokens": [1]})", "suppress_tokens must be null");
  refuses(R"({"stop_strings": ["x"]})", "stop_strings must be null");
  refuses(R"({"token_healing": true})", "token_healing must be null");
  refuses(R"({"do_sample": true, "temperature": 0})", "temperature must be positive with do_sample, found 0");
  refuses(R"({"do_sample": true, "top_p": 7})", "top_p must be in (0, 1] with do_sample, found 7");
  refuses(R"({"do_sample": true, "min_p": -1})", "min_p must be in [0, 1] with do_sample, found -1");
  refuses(R"({"repetition_penalty": 0})", "repetition_penalty must be positive and finite, found 0");
  CHECK(parse_generation_config(R"({"min_p": -1})").sampling.min_p == 0);
  CHECK_NOTHROW(parse_generation_config(R"({"suppress_tokens": [], "token_healing": false, "temperature": 0})"));
  refuses(R"({"temperature": "hot"})", "temperature must be a number, found \"hot\"");
  refuses(R"({"do_sample": 1})", "do_sample must be true or false");
  refuses(R"({"eos_token_id": [2, -1]})", "eos_token_id must be a whole number");
  refuses("[]", "an object is expected");
}
