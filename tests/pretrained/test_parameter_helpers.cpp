// SPDX-License-Identifier: Apache-2.0
// What the reference's helpers (utils.py) answered for four models, and the corrected forms of their quirks.
#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "weft/io/json_config.hpp"
#include "weft/io/pretrained_transformer.hpp"
#include "weft/io/text_file.hpp"
#include "weft/models/llama.hpp"
#include "weft/models/parameter_helpers.hpp"

#include "models/tiny_models.hpp"
#include "pretrained/narrow_folder.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Json = nlohmann::json;
using DynamicModel = LlamaForCausalLMWithGNN<Dynamic>;

/// Calls `check(model, answers)` for each model of the golden file.
template <class Check>
void for_each_golden_model(Check&& check) {
  const std::string path = std::string(WEFT_TEST_DATA) + "/utils.json";
  for (const Json& golden : Json::parse(read_text(path))) {
    INFO(golden.at("name").get<std::string>());
    const PretrainedConfig config = parse_config(golden.at("config").dump(), "config");
    DynamicModel model(config.llama, config.gnn, Rng(1));
    check(model, golden);
  }
}

std::vector<std::string_view> views_of(const std::vector<std::string>& strings) {
  return {strings.begin(), strings.end()};
}

std::vector<std::string> trainable_names(const DynamicModel& model) {
  std::vector<std::string> names;
  for_each_parameter(model, [&](const ParameterName& name, const auto& parameter) {
    if (parameter.trainable()) names.push_back(name.name);
  });
  return names;
}

template <class Helper>
void compare_freezing(const char* key, Helper&& helper) {
  for_each_golden_model([&](DynamicModel& model, const Json& golden) {
    for (const Json& call : golden.at(key)) {
      const auto keywords = call.at("unfreeze_keywords").get<std::vector<std::string>>();
      CHECK(helper(model, views_of(keywords)) == call.at("returned").get<std::vector<std::string>>());
      CHECK(trainable_names(model) == call.at("trainable").get<std::vector<std::string>>());
      CHECK(count_trainable_parameters(model) == call.at("count").get<Index>());
    }
    unfreeze_all(model);
    CHECK(count_trainable_parameters(model) == golden.at("total_trainable").get<Index>());
  });
}

struct PNA {
  static constexpr LlamaConfig llama = TinyLlama::llama;
  static constexpr GNNConfig gnn{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA};
};

struct AsManyHeads {
  static constexpr LlamaConfig llama = TinyGIN::llama;
  static constexpr GNNConfig gnn{};
};

struct Biased {
  static constexpr LlamaConfig llama = [] {
    LlamaConfig config = TinyLlama::llama;
    config.attention_bias = config.mlp_bias = true;
    return config;
  }();
  static constexpr GNNConfig gnn{};
};
struct BiasedPNA {
  static constexpr LlamaConfig llama = Biased::llama;
  static constexpr GNNConfig gnn = PNA::gnn;
};

}  // namespace

TEST_CASE("The state dict has the reference's names, aliases and shapes, in its order") {
  for_each_golden_model([](DynamicModel& model, const Json& golden) {
    std::vector<std::string> names;
    std::map<std::string, std::string> aliases;
    std::map<std::string, std::vector<Index>> shapes;
    for (const AnyParameter& parameter : list_parameters(model)) {
      const ParameterName& name = parameter.name();
      names.push_back(name.name);
      shapes[name.name] = parameter.extents();
      name.for_each_alias([&](const std::string& alias) {
        aliases[alias] = name.name;
        shapes[alias] = parameter.extents();
      });
    }
    CHECK(names == golden.at("named_parameters").get<std::vector<std::string>>());
    CHECK(aliases == golden.at("aliases").get<std::map<std::string, std::string>>());
    CHECK(shapes.size() == golden.at("state_dict").size());
    for (const Json& entry : golden.at("state_dict")) {
      CHECK(shapes[entry[0].get<std::string>()] == entry[1].get<std::vector<Index>>());
    }
  });
}

TEST_CASE("Constants are initialised as the reference initialises them") {
  for_each_golden_model([](DynamicModel& model, const Json& golden) {
    const auto expected = golden.at("constant_initial_values").get<std::map<std::string, float>>();
    std::size_t seen = 0;
    for_each_parameter(model, [&](const ParameterName& name, const auto& parameter) {
      const auto constant = expected.find(name.name);
      if (constant == expected.end()) return;
      INFO(name.name);
      seen += 1;
      for (const float value : parameter.value().span()) REQUIRE(value == constant->second);
    });
    CHECK(seen == expected.size());
  });
}

TEST_CASE("freeze_except_select leaves trainable what has a keyword in its name") {
  compare_freezing("freeze_except_select", [](DynamicModel& model, const std::vector<std::string_view>& keywords) {
    return freeze_except_select(model, keywords);
  });
}

TEST_CASE("freeze_except_original_no_trainable_scale leaves trainable what lacks a keyword in its name") {
  compare_freezing("freeze_except_original_no_trainable_scale",
                   [](DynamicModel& model, const std::vector<std::string_view>& keywords) {
                     return freeze_except_original_no_trainable_scale(model, keywords);
                   });
}

TEST_CASE("The intended freezing lists names once and trains what lacks all keywords") {
  for_each_golden_model([](DynamicModel& model, const Json&) {
    const auto listed = freeze_except_select(model, graph_keywords, Semantics::intended);
    CHECK(std::set<std::string>(listed.begin(), listed.end()).size() == listed.size());
    CHECK(listed == trainable_names(model));
    const auto original = freeze_except_original_no_trainable_scale(model, graph_keywords, Semantics::intended);
    CHECK(original == trainable_names(model));
    for (const std::string& name : original) {
      for (const std::string_view keyword : graph_keywords) CHECK(name.find(keyword) == std::string::npos);
    }
    CHECK(listed.size() + original.size() == list_parameters(model).size());
  });
}

TEST_CASE("The scalars of attention come with the layer they stand in") {
  for_each_golden_model([](DynamicModel& model, const Json& golden) {
    const Json& expected = golden.at("extract_gnn_parameters_with_labels");
    const auto names = expected.at("parameters_to_extract").get<std::vector<std::string>>();
    const auto found = extract_gnn_parameters_with_labels(model, views_of(names));
    for (const std::string& name : names) {
      CHECK(found.values.at(name) == expected.at("params").at(name).get<std::vector<double>>());
    }
    CHECK(found.labels == expected.at("labels").get<std::vector<std::string>>());
    CHECK(extract_gnn_parameters_with_labels(model).labels.empty());
  });
}

TEST_CASE("A graph-aware model starts from a plain Llama") {
  const TemporaryFolder folder;
  const auto plain = random_model<TinyLlama>(1);
  save_parameters(folder / "plain.safetensors", plain);

  auto model = random_model<PNA>(2);
  const auto report = load_pretrained_transformer(folder / "plain.safetensors", model);
  CHECK(report.copied.size() == list_parameters(plain).size());
  CHECK(report.not_in_model.empty());
  CHECK(report.copied.size() + report.not_in_file.size() == list_parameters(model).size());
  const auto same = [](const auto& a, const auto& b) { return std::equal(a.data(), a.data() + a.size(), b.data()); };
  CHECK(same(model.model.layers[1].self_attn.q_proj.weight, plain.model.layers[1].self_attn.q_proj.weight));
  CHECK(same(model.lm_head->weight, plain.lm_head->weight));
}

TEST_CASE("A graph-aware model starts with the biases of a plain Llama that has them") {
  const TemporaryFolder folder;
  const auto plain = random_model<Biased>(1);
  save_parameters(folder / "plain.safetensors", plain);
  for (const Semantics semantics : {Semantics::reference, Semantics::intended}) {
    auto model = random_model<BiasedPNA>(2);
    const auto report = load_pretrained_transformer(folder / "plain.safetensors", model, semantics);
    CHECK(report.copied.size() == list_parameters(plain).size());
    CHECK(report.not_in_model.empty());
    const auto& bias = model.model.layers[1].self_attn.q_proj.bias;
    CHECK(std::equal(bias->data(), bias->data() + bias->size(), plain.model.layers[1].self_attn.q_proj.bias->data()));
  }
}

TEST_CASE("bf16 weights of a plain Llama stay bf16 beside a graph network, and are the same numbers") {
  const NarrowFolder<TinyLlama> base;
  auto plain = load_pretrained<TinyLlama>(base.path());
  auto model = random_model<PNA>(2);
  load_pretrained_transformer(base.path(), model);
  freeze_except_select(model, graph_keywords);
  CHECK(kept_as_bf16(plain) > 0);
  CHECK(kept_as_bf16(model) == kept_as_bf16(plain));
  const auto values = [](const auto& parameter) {
    return std::vector<float>(parameter.data(), parameter.data() + parameter.size());
  };
  CHECK(values(model.model.layers[1].mlp.up_proj.weight) == values(plain.model.layers[1].mlp.up_proj.weight));
}

TEST_CASE("A head that is the embedding of a tied model's file does not share its memory") {
  const TemporaryFolder folder;
  auto plain = random_model<TinyLlama>(1);
  SafetensorsWriter writer;
  for (const AnyParameter& parameter : list_parameters(plain)) {
    if (parameter.name().name != "lm_head.weight") writer.add_parameter(parameter.name().name, parameter);
  }
  writer.write(folder / "tied.safetensors");
  auto model = random_model<PNA>(2);
  load_pretrained_transformer(folder / "tied.safetensors", model);
  float* const head = model.lm_head->weight.data();
  const float* const embedding = model.model.embed_tokens.weight.data();
  CHECK(std::equal(head, head + model.lm_head->weight.size(), embedding));
  CHECK(head != embedding);
}

TEST_CASE("Attention without v_proj takes what exists of a plain Llama only where that is asked for") {
  const TemporaryFolder folder;
  save_parameters(folder / "plain.safetensors", random_model<AsManyHeads>(1));
  auto model = random_model<TinyGIN>(2);
  CHECK_THROWS_WITH(load_pretrained_transformer(folder / "plain.safetensors", model),
                    (folder / "plain.safetensors") +
                        ": the model has no model.layers.0.self_attn.v_proj.weight, which a plain Llama has (quirk U4: "
                        "only attention with q, k, v and o, and the standard MLP, take all of it); "
                        "Semantics::intended copies what exists and reports the rest");
  const auto report = load_pretrained_transformer(folder / "plain.safetensors", model, Semantics::intended);
  CHECK(std::ranges::count(report.not_in_model, "model.layers.1.self_attn.v_proj.weight") == 1);
  CHECK(std::ranges::count(report.copied, "model.layers.1.self_attn.k_proj.weight") == 1);
}

// The specification gives both numbers as counted on the reference's models. Parameters without values take no memory until
// they are written, and these are not.
TEST_CASE("The reference's two recipes have as many parameters here as there") {
  const auto from_scratch = parse_config(R"({"vocab_size": 271, "hidden_size": 560, "intermediate_size": 512,
    "num_hidden_layers": 6, "num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": 70, "gnn_config": {
    "use_GNN_from_attention": "LlamaAttentionGIN", "attention_GIN_MLP_multiplier": 0.5, "use_sharpening": true,
    "attention_GIN_MLP_o_proj_at_end": false, "hidden_dim": 560, "gnn_mode": "none"}})");
  const DynamicModel gin(from_scratch.llama, from_scratch.gnn, WithoutValues());
  CHECK(count_trainable_parameters(gin) == 9476946);

  const auto sparse = parse_config(R"({"vocab_size": 8, "hidden_size": 3072, "intermediate_size": 8192,
    "num_hidden_layers": 1, "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128, "gnn_config": {
    "gnn_mode": "single", "gnn_type": "causal_gin", "activation": "prelu", "num_layers": 1, "hidden_dim": 155,
    "use_layer_norm": true, "GIN_use_MLP": true, "GIN_hidden_dim_multiplier": 1, "lambda_GNN_initial": 0.0,
    "adj_construction_method": "sum", "gnn_logic": "before_MLP"}})");
  DynamicModel fine_tuned(sparse.llama, sparse.gnn, WithoutValues());
  freeze_except_select(fine_tuned,
                       std::array<std::string_view, 4>{"gnn", "trainable_scale", "gnn_norm", "combined_norm"});
  CHECK(28 * count_trainable_parameters(fine_tuned) == 28195496);  // of 28 equal layers
}
