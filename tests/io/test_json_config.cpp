// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <optional>
#include <string>

#include "weft/io/json_config.hpp"
#include "weft/io/safetensors_reader.hpp"

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::config_text;
using weft::GNNConfig;
using weft::LlamaConfig;
using weft::parse_config;
using weft::PretrainedConfig;
using weft::read_config;
using weft::detail::Json;
using weft::detail::json_text;
using weft::detail::parse_json;

namespace {

const std::string goldens = WEFT_TEST_DATA;

const Json::Object& members(const Json& json) { return *json.get_if<Json::Object>(); }

/// The field `gnn_config` of a configuration's text.
Json gnn_config(const std::string& text) { return *parse_json(text, "test").find("gnn_config"); }

/// Another value than the default's, for every type of field.
void change(bool& truth) { truth = !truth; }
void change(int& number) { number += 3; }
void change(double& number) { number += 0.125; }
template <weft::NamedEnum Enum>
void change(Enum& value) {
  value = static_cast<Enum>((static_cast<std::size_t>(value) + 1) % weft::enum_names<Enum>.size());
}
template <class Value>
void change(std::optional<Value>& value) {
  value.emplace();
  change(*value);
}
template <class Value>
void change(weft::Switch<Value>& value) {
  value = Value{};
  change(*value);
}
template <class Value, std::size_t Capacity>
void change(weft::FixedList<Value, Capacity>& list) {
  list = {Value{}};
}

/// No field has its default; the network is `causal_gin`.
GNNConfig unusual_gnn() {
  GNNConfig gnn;
  weft::detail::visit_gnn_fields(gnn, [](const char*, auto& field, auto...) { change(field); });
  return gnn;
}

/// No field has its default.
PretrainedConfig unusual() {
  PretrainedConfig config;
  config.llama = {.vocab_size = 300,
                  .hidden_size = 560,
                  .intermediate_size = 512,
                  .num_hidden_layers = 6,
                  .num_attention_heads = 8,
                  .num_key_value_heads = 4,
                  .head_dim = 140,
                  .hidden_act = weft::HiddenAct::gelu_pytorch_tanh,
                  .max_position_embeddings = 256,
                  .initializer_range = 0.1 + 0.2,
                  .rms_norm_eps = 1e-5,
                  .tie_word_embeddings = true,
                  .rope_theta = 500000.0,
                  .rope_scaling = {.type = weft::RopeType::llama3,
                                   .factor = 32,
                                   .low_freq_factor = 1.5,
                                   .high_freq_factor = 5,
                                   .original_max_position_embeddings = 128},
                  .attention_bias = true,
                  .attention_dropout = 0.25,
                  .mlp_bias = true,
                  .pad_token_id = 0,
                  .bos_token_id = {},
                  .eos_token_id = {5, 6, 7}};
  config.gnn = unusual_gnn();
  return config;
}

}  // namespace

TEST_CASE("every field survives the way through a file") {
  const PretrainedConfig config = unusual();
  const PretrainedConfig again = parse_config(config_text(config));
  CHECK(again.llama == config.llama);
  CHECK(again.gnn == config.gnn);
  CHECK(again.other == config.other);
  CHECK(again.notes.empty());

  // A field that the file did not carry would have come back with its default.
  const Json json = parse_json(config_text(config), "test");
  const Json defaults = parse_json(config_text({}), "test");
  for (const auto& [key, value] : members(json)) {
    INFO(key);
    const bool is_other = key == "architectures" || key == "model_type" || key == "torch_dtype";
    CHECK((value == members(defaults).at(key)) == is_other);
  }
}

TEST_CASE("a default configuration has the defaults of Hugging Face") {
  const PretrainedConfig config = parse_config("{}");
  CHECK(config.llama == LlamaConfig{});
  CHECK(config.gnn == GNNConfig{});
  CHECK(config.llama.kv_heads() == 32);
  CHECK(config.llama.head_size() == 128);
  CHECK(parse_config(config_text({})).llama == LlamaConfig{});
}

TEST_CASE("the defaults of a graph configuration are the reference's") {
  const Json all = parse_json(weft::read_text(goldens + "/gnn_config_defaults.json"), "defaults");
  for (const auto& [key, defaults] : members(all)) {
    INFO(key);
    const PretrainedConfig config = parse_config(json_text(Json::Object{{"gnn_config", defaults}}));
    CHECK(config.gnn.gnn_type == (key == "default"      ? weft::GNNType::causal_gnn
                                  : key == "causal_gin" ? weft::GNNType::causal_gin
                                  : key == "causal_pna" ? weft::GNNType::causal_pna
                                                        : weft::GNNType::causal_gcn));
    GNNConfig expected;
    expected.gnn_type = config.gnn.gnn_type;
    CHECK(config.gnn == expected);
    // Written again, it is the reference's file, field for field: none is lacking, none is new.
    CHECK(json_text(gnn_config(config_text(config))) == json_text(defaults));
    // A member for each but the texts and objects, which nothing reads.
    const Json left = gnn_config(config.other);
    for (const auto& [field, value] : members(left)) {
      INFO(field);
      CHECK((value.get_if<std::string>() != nullptr || value.is_null() || field == "degree"));
    }
    CHECK(members(left).size() == (key == "causal_pna" ? 9U : 8U));
  }
}

TEST_CASE("a graph configuration has the 99 fields of the reference and its own") {
  int reference = 0;
  int own = 0;
  const GNNConfig gnn = unusual_gnn();
  weft::detail::visit_gnn_fields(
      gnn, [&](const char*, const auto&, weft::detail::FieldOf whose = weft::detail::FieldOf::reference) {
        ++(whose == weft::detail::FieldOf::us ? own : reference);
      });
  CHECK(reference == 99 - 9);     // the nine texts and objects stay in `other`
  CHECK(own == 10 - 1 + 1 + 24);  // those that the reference forgot but `act_kwargs`, `semantics`, the switches
}

TEST_CASE("semantics and switches are fields of our own, written where they are set") {
  const auto gnn = [](const char* text) {
    return parse_config(weft::concat(R"({"gnn_config":{)", text, "}}"), "f").gnn;
  };
  CHECK(gnn(R"("semantics":"intended")").semantics == weft::Semantics::intended);
  const GNNConfig mixed = gnn(R"("semantics":"intended","edge_direction":"reference","cgi_mask_local":false)");
  CHECK(mixed.switches().edge_direction == weft::EdgeDirection::reference);
  CHECK(mixed.switches().cgi_mask_local == false);
  CHECK(mixed.switches().pna_max == weft::PNAMax::neighbours);
  PretrainedConfig config;
  config.gnn = mixed;
  const Json written = gnn_config(config_text(config));
  CHECK(*written.find("semantics") == "intended");
  CHECK(*written.find("cgi_mask_local") == false);
  CHECK(written.find("pna_max") == nullptr);
  CHECK_THAT(config_text({}), !ContainsSubstring("semantics"));
  CHECK_THROWS_WITH(gnn(R"("semantics":"paper")"),
                    "f: gnn_config.semantics must be one of \"reference\", \"intended\", found \"paper\"");
  CHECK_THROWS_WITH(gnn(R"("pna_max":"others")"), ContainsSubstring("one of \"self\", \"neighbours\""));
}

TEST_CASE("every configuration of the goldens is read") {
  int read = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(goldens)) {
    const std::string path = entry.path();
    INFO(path);
    PretrainedConfig config;
    if (path.ends_with("config.json")) {
      config = read_config(path);
      CHECK_NOTHROW(weft::validate(config.llama, config.gnn));
    } else if (path.ends_with(".safetensors")) {
      const weft::SafetensorsFile file(path);
      const auto found = file.metadata().find("config");
      if (found == file.metadata().end()) continue;
      config = parse_config(found->second, path);
    } else {
      continue;
    }
    ++read;
    const PretrainedConfig again = parse_config(config_text(config));
    CHECK(again.llama == config.llama);
    CHECK(again.gnn == config.gnn);
    CHECK(again.other.size() >= config.other.size());
  }
  CHECK(read >= 30);
}

TEST_CASE("a golden model's configuration is the one it was made with") {
  const PretrainedConfig config = read_config(goldens + "/models/gin_readme/config.json");
  CHECK(config.llama.hidden_size == 30);
  CHECK(config.llama.head_dim == 10);
  CHECK(config.llama.rms_norm_eps == 1e-5);
  CHECK(config.llama.bos_token_id == weft::TokenIds{1});
  CHECK(config.gnn.use_GNN_from_attention == weft::GNNFromAttention::LlamaAttentionGIN);
  CHECK(config.gnn.attention_GIN_MLP_multiplier == 0.5);
  CHECK(config.gnn.use_sharpening);
  const PretrainedConfig llama = read_config(goldens + "/models/plain_llama/config.json");
  CHECK(llama.llama.rope_scaling == weft::RopeScaling{weft::RopeType::llama3, 8, 1, 4, 32});
}

TEST_CASE("a golden model's file is written as Hugging Face wrote it, but for the null it omits") {
  const std::string path = goldens + "/models/gin_readme/config.json";
  Json written = parse_json(config_text(read_config(path)), "test");
  CHECK(written.find("pad_token_id")->is_null());
  written.get_if<Json::Object>()->erase("pad_token_id");
  CHECK(json_text(written) == json_text(parse_json(weft::read_text(path), path)));
}

TEST_CASE("the multiplier is written as a whole number where it is one") {
  PretrainedConfig config;
  CHECK_THAT(config_text(config), ContainsSubstring("\"attention_GIN_MLP_multiplier\": 2,"));
  config.gnn.attention_GIN_MLP_multiplier = 0.5;
  CHECK_THAT(config_text(config), ContainsSubstring("\"attention_GIN_MLP_multiplier\": 0.5,"));
  CHECK_THAT(config_text(config), !ContainsSubstring("dropout_rate"));
}

TEST_CASE("a configuration file shortened at any byte is refused") {
  const std::string whole = config_text(unusual());
  const std::size_t last = whole.find_last_of('}');
  for (std::size_t size = 0; size <= last; ++size) {
    INFO(size);
    REQUIRE_THROWS_AS(parse_config(whole.substr(0, size)), weft::Error);
  }
}

TEST_CASE("a configuration file is replaced as a whole") {
  const weft::testing::TemporaryFolder folder;
  weft::write_config(folder / "config.json", unusual());
  CHECK(read_config(folder / "config.json").llama == unusual().llama);
  CHECK_THROWS_WITH(read_config(folder / "none.json"), ContainsSubstring("No such file or directory"));
}
