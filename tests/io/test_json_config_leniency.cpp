// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "weft/io/json_config.hpp"

#include "support/catch.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::config_text;
using weft::GNNConfig;
using weft::LlamaConfig;
using weft::parse_config;
using weft::PretrainedConfig;
using weft::detail::Json;
using weft::detail::json_text;
using weft::detail::parse_json;

TEST_CASE("a graph configuration understands the reference's looser forms") {
  const auto gnn = [](const char* text) { return parse_config(weft::concat(R"({"gnn_config":{)", text, "}}")).gnn; };
  CHECK(gnn(R"("threshold":1)").threshold == 1.0);
  CHECK(gnn(R"("activation":"PReLU")").activation == weft::GNNActivation::prelu);
  CHECK(gnn(R"("distance_scaling_method":"raw")").distance_scaling_method == weft::DistanceScaling::linear);
  CHECK_FALSE(gnn(R"("lambda_GNN_initial":null)").lambda_GNN_initial.has_value());
  CHECK(gnn(R"("lambda_GNN_initial":0)").lambda_GNN_initial == 0.0);
  CHECK(gnn(R"("aggregators":null)").aggregators.size() == 4);
  CHECK(gnn(R"("num_latents_list":[9,3])").num_latents_list == weft::FixedList<int, 16>{9, 3});
  const auto interpolation = [](const char* name) {
    const std::string text = weft::concat(R"({"gnn_config":{"interpolation_method_for_adj_scaling":")", name, "\"}}");
    return parse_config(text).gnn.interpolation_method_for_adj_scaling;
  };
  CHECK(interpolation("nearest-exact") == weft::AdjacencyInterpolation::nearest_exact);
  CHECK(interpolation("bicubic") == weft::AdjacencyInterpolation::bicubic);
  CHECK_THROWS_WITH(interpolation("trilinear"), ContainsSubstring("\"trilinear\""));
}

TEST_CASE("fields that are unknown come back") {
  const std::string text = R"({"gnn_config":{"tokenizer":8,"degree":[64,32]},"transformers_version":"4.46.3",)"
                           R"("x":{"y":[1e-05,null]}})";
  CHECK(parse_config(text).other == R"({"gnn_config":{"degree":[64,32],"tokenizer":8},)"
                                    R"("transformers_version":"4.46.3","x":{"y":[1e-05,null]}})");
  const Json written = parse_json(config_text(parse_config(text)), "test");
  CHECK(json_text(*written.find("x")) == R"({"y":[1e-05,null]})");
  CHECK(*written.find("gnn_config")->find("tokenizer") == 8);
}

TEST_CASE("texts and objects that have no effect come back, empty arguments of an activation too") {
  for (const char* fields :
       {R"({"act_kwargs":null})", R"({"act_kwargs":{}})", R"({"degree":[1.0,2.0],"tokenizer":null})",
        R"({"attention_GIN_MLP_GIN_MLP_mode":"own","attention_GIN_MLP_GIN_fuse_mode":"sum",)"
        R"("attention_GIN_MLP_attention_mix_mode":"B","attention_epsilon_strategy":"fixed",)"
        R"("hierarchical_enc_dec_type":"none","model_type":"gnn","residual_epsilon_strategy":"fixed"})"}) {
    INFO(fields);
    const PretrainedConfig config = parse_config(weft::concat(R"({"gnn_config":)", fields, "}"));
    CHECK(config.gnn == GNNConfig{});
    CHECK(config.other == weft::concat(R"({"gnn_config":)", fields, "}"));
    CHECK(parse_config(config_text(config)).other == config.other);
  }
}

TEST_CASE("what rope_scaling holds beside its numbers comes back") {
  const auto scaling_after = [](const char* text) {
    return json_text(*parse_json(config_text(parse_config(text)), "test").find("rope_scaling"));
  };
  CHECK(scaling_after(R"({"rope_scaling":{"type":"linear","factor":2,"finetuned":true}})") ==
        R"({"factor":2.0,"finetuned":true,"rope_type":"linear"})");
  CHECK(scaling_after(R"({"rope_parameters":{"rope_type":"default","rope_theta":5e5,"note":"x"}})") ==
        R"({"note":"x","rope_type":"default"})");
  CHECK(scaling_after(R"({"rope_scaling":{"rope_type":"default"}})") == "null");
}

TEST_CASE("special tokens beyond the vocabulary are kept and noted") {
  const PretrainedConfig config =
      parse_config(R"({"vocab_size":271,"bos_token_id":128000,"eos_token_id":[5,128009]})", "f");
  CHECK(config.notes == std::vector<std::string>{"f: bos_token_id 128000 is no token of a vocabulary of 271",
                                                 "f: eos_token_id 128009 is no token of a vocabulary of 271"});
  CHECK(parse_config(config_text(config)).llama == config.llama);
}

TEST_CASE("a graph configuration of null is none, and strict_config of null is not said") {
  CHECK(parse_config(R"({"gnn_config":null})").gnn == GNNConfig{});
  CHECK(parse_config(R"({"gnn_config":null})").other == "{}");
  CHECK_THROWS_WITH(parse_config(R"({"gnn_config":{"MLP_type":"x","semantics":"intended","strict_config":null}})"),
                    ContainsSubstring("MLP_type must be one of"));
}

TEST_CASE("whole numbers are taken for real ones, and null where nothing is meant") {
  CHECK(parse_config(R"({"rope_theta":10000})").llama.rope_theta == 10000.0);
  CHECK(parse_config(R"({"gnn_config":{"initial_sharpening_value":2}})").gnn.initial_sharpening_value == 2.0);
  const LlamaConfig llama = parse_config(R"({"num_key_value_heads":null,"head_dim":null,"pad_token_id":null,)"
                                         R"("rope_scaling":null,"eos_token_id":[1,2]})")
                                .llama;
  CHECK(llama.kv_heads() == 32);
  CHECK(llama.pad_token_id.empty());
  CHECK(llama.eos_token_id.contains(2));
  CHECK(parse_config(R"({"gnn_config":{"attention_GIN_MLP_multiplier":2.0}})").gnn == GNNConfig{});
}

TEST_CASE("other names of the same thing are understood") {
  CHECK(parse_config(R"({"hidden_act":"swish"})").llama.hidden_act == weft::HiddenAct::silu);
  CHECK(parse_config(R"({"hidden_act":"linear"})").llama.hidden_act == weft::HiddenAct::linear);
  CHECK(parse_config(R"({"hidden_act":"gelu_python"})").llama.hidden_act == weft::HiddenAct::gelu);
  for (const std::string name : {"gelu_new", "gelu_fast", "gelu_accurate", "gelu_python_tanh"}) {
    CHECK(parse_config(R"({"hidden_act":")" + name + "\"}").llama.hidden_act == weft::HiddenAct::gelu_pytorch_tanh);
  }
  const auto scaling = [](const char* text) { return parse_config(text).llama.rope_scaling; };
  const weft::RopeScaling linear{.type = weft::RopeType::linear, .factor = 4};
  CHECK(scaling(R"({"rope_scaling":{"type":"linear","factor":4.0}})") == linear);
  CHECK(scaling(R"({"rope_scaling":{"rope_type":"linear","type":"linear","factor":4}})") == linear);
  CHECK(scaling(R"({"rope_scaling":{"rope_type":"default"}})") == weft::RopeScaling{});
  const LlamaConfig new_style =
      parse_config(R"({"rope_parameters":{"rope_type":"linear","factor":4,"rope_theta":5e5}})").llama;
  CHECK(new_style.rope_scaling == linear);
  CHECK(new_style.rope_theta == 5e5);
  CHECK(scaling(R"({"rope_theta":500,"rope_scaling":{"type":"linear","factor":4},
                    "rope_parameters":{"rope_type":"linear","factor":4,"rope_theta":500}})") == linear);
}

TEST_CASE("what changes nothing where it is null or usual is kept") {
  for (const std::string member :
       {R"("is_causal":true)", R"("is_causal":null)", R"("quantization_config":null)", R"("quantization_config":{})"}) {
    CAPTURE(member);
    CHECK(parse_config("{" + member + "}").other == "{" + member + "}");
  }
}

TEST_CASE("a name that the reference takes for its default is noted") {
  const PretrainedConfig config = parse_config(R"({"gnn_config":{"use_GNN_from_attention":"something_else"}})", "f");
  CHECK(config.gnn == GNNConfig{});
  REQUIRE(config.notes.size() == 1);
  CHECK(config.notes[0] ==
        "f: gnn_config.use_GNN_from_attention: \"something_else\" is not known; \"none\" is used, as by the reference");
}
