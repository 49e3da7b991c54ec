// SPDX-License-Identifier: Apache-2.0
#include "weft/io/model_header.hpp"
#include "weft/io/named_config.hpp"

#include "support/catch.hpp"

using namespace weft;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr auto kLlama = config_of<LlamaConfig>({{"vocab_size", {300}},
                                                {"num_key_value_heads", {4}},
                                                {"hidden_act", {"gelu"}},
                                                {"tie_word_embeddings", {true}},
                                                {"pad_token_id", {}},
                                                {"eos_token_id", {3, 4}},
                                                {"rope_type", {"llama3"}},
                                                {"factor", {8.0}},
                                                {"low_freq_factor", {1.0}},
                                                {"high_freq_factor", {4.0}},
                                                {"original_max_position_embeddings", {512}}});
constexpr auto kGNN = config_of<GNNConfig>({{"attention_GIN_MLP_GIN_threshold_mode", {"silu+binary"}},
                                            {"num_latents_list", {4, 2}},
                                            {"aggregators", {"mean", "max"}},
                                            {"lambda_GNN_initial", {0.5}},
                                            {"edge_direction", {"key_to_query"}},
                                            {"norm_zero_guard", {false}}});

}  // namespace

TEST_CASE("a configuration is a constant written down by names") {
  STATIC_REQUIRE(kLlama.vocab_size == 300);
  STATIC_REQUIRE(kLlama.num_key_value_heads == 4);
  STATIC_REQUIRE(kLlama.hidden_act == HiddenAct::gelu);
  STATIC_REQUIRE(kLlama.tie_word_embeddings);
  STATIC_REQUIRE(kLlama.eos_token_id == TokenIds{3, 4});
  STATIC_REQUIRE(kLlama.rope_scaling.original_max_position_embeddings == 512);
  STATIC_REQUIRE(kLlama.hidden_size == LlamaConfig{}.hidden_size);
  STATIC_REQUIRE(name_of(kGNN.attention_GIN_MLP_GIN_threshold_mode) == "silu+binary");
  STATIC_REQUIRE(kGNN.num_latents_list == FixedList<int, 16>{4, 2});
  STATIC_REQUIRE(kGNN.aggregators == FixedList<PNAAggregator, 8>{PNAAggregator::mean, PNAAggregator::max});
  STATIC_REQUIRE(kGNN.lambda_GNN_initial == 0.5);
  STATIC_REQUIRE(kGNN.compatibility.edge_direction == EdgeDirection::key_to_query);
  STATIC_REQUIRE(kGNN.compatibility.norm_zero_guard == false);
}

TEST_CASE("a header names the fields of a folder that are not at their defaults") {
  PretrainedConfig config;
  config.llama = kLlama;
  config.gnn = kGNN;
  const std::string header = model_header(config, "Tiny", "a/folder");
  for (const char* part :
       {"struct Tiny {", R"({"vocab_size", {300}})", R"({"hidden_act", {"gelu"}})", R"({"eos_token_id", {3, 4}})",
        R"({"rope_type", {"llama3"}})", R"({"original_max_position_embeddings", {512}})",
        R"({"attention_GIN_MLP_GIN_threshold_mode", {"silu+binary"}})", R"({"num_latents_list", {4, 2}})",
        R"({"aggregators", {"mean", "max"}})", R"(folder = "a/folder";)"}) {
    CHECK_THAT(header, ContainsSubstring(part));
  }
  CHECK_THAT(header, !ContainsSubstring("hidden_size") && !ContainsSubstring("weights()"));
  CHECK_THAT(model_header(config, "Tiny", "f", true), ContainsSubstring("weft_weights_of_Tiny_begin"));
}

TEST_CASE("a folder of any name is spelled in C++") {
  const std::string folder = std::string(300, 'd') + "\"\n\\\xF0\x9F\x98\x80";
  const std::string header = model_header({}, "Tiny", folder);
  CHECK_THAT(header, ContainsSubstring(std::string(300, 'd') + R"(\042\012\134\360\237\230\200";)"));
}

TEST_CASE("a name that is no C++ name is refused") {
  for (const char* name : {"", "3d", "a-b", "a b", "a;b"}) {
    CHECK_THROWS_WITH(model_header({}, name, "f"), ContainsSubstring("the name of a type is expected"));
  }
}
