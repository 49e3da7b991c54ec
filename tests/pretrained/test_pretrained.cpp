// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "weft/io/pretrained.hpp"

#include "models/tiny_models.hpp"
#include "support/captured_stderr.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

struct Sparse {
  static constexpr LlamaConfig llama{.vocab_size = 23,
                                     .hidden_size = 24,
                                     .intermediate_size = 20,
                                     .num_hidden_layers = 2,
                                     .num_attention_heads = 4,
                                     .tie_word_embeddings = true};
  static constexpr GNNConfig gnn{.num_layers = 2,
                                 .hidden_dim = 10,
                                 .activation = GNNActivation::prelu,
                                 .gnn_type = GNNType::causal_gin,
                                 .gnn_mode = GNNMode::single,
                                 .threshold = 0.1,
                                 .semantics = Semantics::intended,
                                 .compatibility = {.tie_on_construct = false}};
};

template <class Model>
std::vector<float> logits_of(const Model& model) {
  Inference inference;
  const auto logits = model(inference, random_ids(2, 5, 2));
  return {logits.data(), logits.data() + logits.size()};
}

}  // namespace

TEST_CASE("a model with a graph network comes back from its folder with its semantics") {
  const TemporaryFolder folder;
  auto model = random_model<Sparse>(1);
  CHECK(model.lm_head.has_value());  // as the reference leaves it after construction
  for (Index i = 0; i < model.lm_head->weight.size(); ++i) {
    model.lm_head->weight.data()[i] = model.model.embed_tokens.weight.data()[i];
  }
  save_pretrained(model, folder / "model");
  std::vector<std::string> notes;
  const auto again = load_pretrained<Sparse>(folder / "model", &notes);
  CHECK(notes.empty());
  CHECK_FALSE(again.lm_head.has_value());  // loading ties
  CHECK(again.gnn_config().semantics == Semantics::intended);
  CHECK(logits_of(again) == logits_of(model));
}

TEST_CASE("a tied model takes its embedding from either name, and a head that was trained apart is noted") {
  const TemporaryFolder folder;
  const auto model = random_model<Sparse>(1);
  save_pretrained(model, folder / "model");
  std::vector<std::string> notes;
  const auto tied = load_pretrained<Sparse>(folder / "model", &notes);
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes[0], Catch::Matchers::ContainsSubstring(
                           "tensors \"model.embed_tokens.weight\" and \"lm_head.weight\" are one parameter"));

  SafetensorsWriter writer(std::map<std::string, std::string>{});
  for (const AnyParameter& parameter : list_parameters(tied)) {
    const std::string& name = parameter.name().name;
    writer.add_parameter(name == "model.embed_tokens.weight" ? "lm_head.weight" : name, parameter);
  }
  write_config(folder / "config.json", read_config(folder / "model/config.json"));
  writer.write(folder / "model.safetensors");
  notes.clear();
  CHECK(logits_of(load_pretrained<Sparse>(folder / "", &notes)) == logits_of(tied));
  CHECK(notes.empty());
}

TEST_CASE("whoever loads a model learns what was replaced") {
  const TemporaryFolder folder;
  save_pretrained(random_model<TinyLlama>(1), folder / "model");
  PretrainedConfig config = read_config(folder / "model/config.json");
  std::string text = config_text(config);
  text.replace(text.find("\"standard_MLP\""), 14, "\"wide_MLP\"");
  write_text(folder / "model/config.json", text);
  std::vector<std::string> notes;
  CapturedStderr with_notes;
  load_pretrained<TinyLlama>(folder / "model", &notes);
  CHECK(with_notes.text().empty());
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes[0], Catch::Matchers::ContainsSubstring(
                           "gnn_config.MLP_type: \"wide_MLP\" is not known; \"standard_MLP\" is used"));
  CapturedStderr without;
  load_pretrained<TinyLlama>(folder / "model");
  CHECK(without.text() == "weft: note: " + notes[0] + "\n");
}

TEST_CASE("a configuration that the library cannot build is refused with its file") {
  const TemporaryFolder folder;
  save_pretrained(random_model<TinyLlama>(1), folder / "model");
  PretrainedConfig config = read_config(folder / "model/config.json");
  config.llama.rope_theta = 0;
  write_config(folder / "model/config.json", config);
  CHECK_THROWS_WITH(load_pretrained<Dynamic>(folder / "model"),
                    (folder / "model/config.json") + ": rope_theta must be positive, found 0");
}

TEST_CASE("what a folder says beyond the model goes with it into another") {
  const TemporaryFolder folder;
  save_pretrained(random_model<TinyLlama>(1), folder / "first");
  std::string config = read_text(folder / "first/config.json");
  config.replace(config.find('{'), 1, R"({"_name_or_path": "somewhere", "loom": {"threads": [1, 2.5, null]},)");
  config.replace(config.find("float32"), 7, "bfloat16");
  write_text(folder / "first/config.json", config);
  const std::string generation = "{\"eos_token_id\": 2, \"temperature\": 0.6}\n";
  write_text(folder / "first/generation_config.json", generation);
  save_pretrained(load_pretrained<TinyLlama>(folder / "first"), folder / "second");
  const std::string other = read_config(folder / "second/config.json").other;
  CHECK_THAT(other, Catch::Matchers::ContainsSubstring(R"("loom":{"threads":[1,2.5,null]})"));
  CHECK_THAT(other, Catch::Matchers::ContainsSubstring(R"("_name_or_path":"somewhere")"));
  CHECK_THAT(other, Catch::Matchers::ContainsSubstring(R"("torch_dtype":"float32")"));  // as the weights are now
  CHECK(read_text(folder / "second/generation_config.json") == generation);
}

TEST_CASE("a configuration that asks for more than the weights have is refused before memory is asked for") {
  const TemporaryFolder folder;
  save_pretrained(random_model<TinyLlama>(1), folder / "model");
  const std::string path = folder / "model/config.json";
  const PretrainedConfig config = read_config(path);
  const auto refusal = [&](auto&& change) {
    PretrainedConfig changed = config;
    change(changed);
    write_config(path, changed);
    try {
      load_pretrained<Dynamic>(folder / "model");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  using Catch::Matchers::ContainsSubstring;
  CHECK_THAT(refusal([](auto& c) { c.llama.num_hidden_layers = 1'000'000'000; }),
             ContainsSubstring("config.json: num_hidden_layers must be at most 1") &&
                 ContainsSubstring("1000 and the number of tensors in") && ContainsSubstring("found 1000000000"));
  CHECK_THAT(refusal([](auto& c) { c.gnn.num_layers = 1'000'000'000; }), ContainsSubstring("gnn_config.num_layers"));
  CHECK_THAT(refusal([](auto& c) { c.gnn.num_latent_layers = 1'000'000'000; }),
             ContainsSubstring("gnn_config.num_latent_layers"));
  CHECK_THAT(refusal([](auto& c) { c.llama.hidden_size = 1 << 30; }),
             ContainsSubstring("\"model.embed_tokens.weight\" must have shape") && ContainsSubstring("1073741824]"));
  CHECK_THAT(refusal([](auto& c) { c.llama.vocab_size = 1 << 30; }),
             ContainsSubstring("must have shape [1073741824, "));
  CHECK_FALSE(refusal([](auto& c) { c.llama.intermediate_size = 1 << 30; }).empty());
  CHECK(refusal([](auto&) {}).empty());
}
