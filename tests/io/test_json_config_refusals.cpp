// SPDX-License-Identifier: Apache-2.0
// What is no configuration, in files and in memory.
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "weft/io/json_config.hpp"

#include "support/catch.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::config_text;
using weft::parse_config;
using weft::PretrainedConfig;

TEST_CASE("a strict configuration takes no unknown name for another") {
  const std::vector<std::pair<std::string, std::string>> fields = {
      {"MLP_type", "\"standard_MLP\", \"linear_MLP\""},
      {"use_GNN_from_attention", "\"none\", \"LlamaAttention_Original\""},
      {"attention_GIN_MLP_GIN_mode", "\"default\", \"GINLayer_Var_A\""},
      {"distance_scaling_method", "\"sigmoid\", \"exp\""}};
  for (const auto& [field, names] : fields) {
    const auto text = [&, name = field](const std::string& more) {
      return R"({"gnn_config":{")" + name + R"(":"another")" + more + "}}";
    };
    CHECK(parse_config(text("")).notes.size() == 1);
    for (const char* strict : {R"(,"strict_config":true)", R"(,"semantics":"intended")"}) {
      CHECK_THROWS_WITH(parse_config(text(strict), "f"),
                        ContainsSubstring("f: gnn_config." + field + " must be one of " + names));
    }
    CHECK(parse_config(text(R"(,"semantics":"intended","strict_config":false)")).notes.size() == 1);
  }
}

TEST_CASE("a value of the wrong type is refused with file, field and what was found") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"([])", "f: the configuration must be an object, found []"},
      {R"({"gnn_config":[]})", "f: gnn_config must be an object, found []"},
      {R"({"model_type":"mistral"})", "f: model_type must be \"llama\", found \"mistral\""},
      {R"({"vocab_size":"512"})", "f: vocab_size must be a whole number of 32 bits, found \"512\""},
      {R"({"vocab_size":512.0})", "f: vocab_size must be a whole number of 32 bits, found 512.0"},
      {R"({"vocab_size":2147483648})", "f: vocab_size must be a whole number of 32 bits, found 2147483648"},
      {R"({"vocab_size":null})", "f: vocab_size must be a whole number of 32 bits, found null"},
      {R"({"head_dim":0})", "f: head_dim must be positive or null, found 0"},
      {R"({"rms_norm_eps":"1e-5"})", "f: rms_norm_eps must be a number, found \"1e-5\""},
      {R"({"rms_norm_eps":1e999})", "f: not JSON at line 1, column 17: number too big"},
      {R"({"vocab_size":18446744073709551611})",
       "f: vocab_size must be a whole number of 32 bits, found 18446744073709"},
      {R"({"pad_token_id":-2147483649})", "f: pad_token_id must be a whole number of 32 bits, found -2147483649"},
      {R"({"mlp_bias":1})", "f: mlp_bias must be true or false, found 1"},
      {R"({"eos_token_id":["a"]})", "f: eos_token_id must be a whole number of 32 bits, found \"a\""},
      {R"({"eos_token_id":[1,2,3,4,5,6,7,8,9]})", "f: eos_token_id must be at most 8 ids, found [1,2,3,4,5,6,7,8,9]"},
      {R"({"eos_token_id":{}})", "f: eos_token_id must be a whole number of 32 bits, found {}"},
      {R"({"hidden_act":"mish"})",
       "f: hidden_act must be one of \"silu\", \"gelu\", \"gelu_pytorch_tanh\", \"relu\", "
       "\"sigmoid\", \"tanh\", \"linear\", found \"mish\""},
      {R"({"hidden_act":0})", "f: hidden_act must be one of"},
      {R"({"rope_scaling":2})", "f: rope_scaling must be an object, found 2"},
      {R"({"rope_scaling":{"type":"yarn"}})",
       "f: rope_scaling.type must be one of \"default\", \"linear\", \"dynamic\", \"llama3\", found \"yarn\""},
      {R"({"rope_scaling":{"type":"linear","rope_type":"dynamic","factor":2}})", "must agree"},
      {R"({"rope_scaling":{"factor":8}})", "f: rope_scaling.rope_type is expected beside rope_scaling.factor"},
      {R"({"rope_scaling":{"type":"linear","factor":2},"rope_parameters":{"rope_type":"linear","factor":4}})",
       "f: rope_scaling, with rope_theta beside it, and rope_parameters must agree"},
      {R"({"rope_scaling":{"rope_type":"default"},"rope_parameters":{"rope_type":"linear","factor":4}})", "must agree"},
      {R"({"rope_scaling":{"rope_type":"default"},"rope_parameters":{"rope_type":"default","rope_theta":500}})",
       "must agree"},
      {R"({"is_causal":false})", "f: is_causal must be true, found false"},
      {R"({"quantization_config":{"quant_method":"bitsandbytes"}})",
       "f: quantization_config is not supported (null is, for weights that are F32, F64, F16 or BF16), found "
       "{\"quant_method\":\"bitsandbytes\"}"},
      {R"({"partial_rotary_factor":0.5})", "f: partial_rotary_factor must be 1, found 0.5"},
      {R"({"rope_parameters":{"rope_type":"default","partial_rotary_factor":0.5}})",
       "f: rope_scaling.partial_rotary_factor must be 1, found 0.5"},
      {R"({"architectures":["MistralForCausalLM"]})",
       "f: architectures must be classes of Llama, found \"MistralForCausalLM\""},
      {R"({"rope_scaling":{"type":"linear"}})", "f: rope_scaling.factor is expected, but not there"},
      {R"({"rope_scaling":{"type":"llama3","factor":8}})", "f: rope_scaling.low_freq_factor is expected"},
      {R"({"gnn_config":{"use_sharpening":"yes"}})",
       "f: gnn_config.use_sharpening must be true or false, found \"yes\""},
      {R"({"gnn_config":{"use_GNN_from_attention":null}})", "f: gnn_config.use_GNN_from_attention must be one of"},
      {R"({"gnn_config":{"gnn_mode":"both"}})",
       "f: gnn_config.gnn_mode must be one of \"none\", \"single\", \"per_head\", found \"both\""},
      {R"({"gnn_config":{"attention_GIN_MLP_GIN_threshold_mode":"gelu"}})", "found \"gelu\""},
      {R"({"gnn_config":{"threshold":"high"}})", "f: gnn_config.threshold must be a number, found \"high\""},
      {R"({"gnn_config":{"gnn_type":"gat"}})",
       "f: gnn_config.gnn_type must be one of \"causal_gnn\", \"causal_gin\", \"causal_gcn\", \"causal_pna\", "
       "\"causal_recombination\", found \"gat\""},
      {R"({"gnn_config":{"aggregators":["mean","median"]}})", "f: gnn_config.aggregators must be one of \"mean\""},
      {R"({"gnn_config":{"num_latents_list":8}})",
       "f: gnn_config.num_latents_list must be a list of at most 16 values, or null, found 8"},
      {R"({"gnn_config":{"act_kwargs":{"negative_slope":0.1}}})",
       "f: gnn_config.act_kwargs must be null or {}, found {\"negative_slope\":0.1}"},
      {R"({"vocab_size":1,"vocab_size":1})", "f: the key \"vocab_size\" must not appear twice"},
  };
  for (const auto& [text, message] : cases) {
    INFO(text);
    CHECK_THROWS_WITH(parse_config(text, "f"), ContainsSubstring(message));
  }
}

TEST_CASE("a configuration that cannot be said in JSON is not written") {
  PretrainedConfig config;
  config.llama.rope_theta = std::nan("");
  CHECK_THROWS_WITH(config_text(config), ContainsSubstring("a number must be finite"));
  config = {};
  config.other = "[]";
  CHECK_THROWS_WITH(config_text(config), ContainsSubstring("PretrainedConfig::other"));
  config.other = R"({"gnn_config":[1]})";
  CHECK_THROWS_WITH(config_text(config), "PretrainedConfig::other: gnn_config must be an object, found [1]");
}
