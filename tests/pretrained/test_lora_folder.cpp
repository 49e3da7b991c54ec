// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <span>

#include "weft/io/lora_folder.hpp"
#include "weft/io/pretrained.hpp"

#include "models/tiny_models.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

const std::string goldens = WEFT_TEST_DATA;

template <class Model>
std::vector<float> logits_of(const Model& model, const Ids& ids) {
  Inference inference;
  const auto logits = model(inference, ids);
  return {logits.data(), logits.data() + logits.size()};
}

template <class Model>
void randomize_adapters(Model& model) {
  for_each_parameter(model, [&](const ParameterName& name, auto& parameter) {
    if (name.name.find("lora_B") != std::string::npos) std::fill_n(parameter.data(), parameter.size(), 0.1F);
  });
}

/// The path of a folder with the adapters of a small model.
std::string saved_adapters(const TemporaryFolder& folder, const LoraOptions& options) {
  auto model = random_model<TinyLlama>(1);
  add_lora(model, options, Rng(5));
  save_lora(model, folder / "adapter");
  return folder / "adapter";
}

/// What load_lora says of a folder whose configuration has one line more, and that the model stays as it was.
std::string refusal(const std::string& folder, const std::string& line) {
  auto model = random_model<TinyLlama>(1);
  std::string text = read_text(folder + "/adapter_config.json");
  write_text(folder + "/adapter_config.json", "{" + line + "," + text.substr(1));
  std::string message = "no error";
  try {
    load_lora(model, folder);
  } catch (const Error& error) {
    message = error.what();
  }
  write_text(folder + "/adapter_config.json", text);
  CHECK(has_lora(model) == (message == "no error"));
  return message.substr(message.rfind("json: ") == std::string::npos ? 0 : message.rfind("json: ") + 6);
}

}  // namespace

TEST_CASE("adapters that PEFT saved give its logits, beside the weights and merged into them") {
  for (const char* name : {"/peft/defaults", "/peft/stabilised"}) {
    INFO(name);
    auto model = load_pretrained<Dynamic>(goldens + "/transformers/smollm");
    const SafetensorsFile golden(goldens + name + "/golden.safetensors");
    Ids ids(Shape<Dyn, Dyn>(2, 12));
    for (Index i = 0; i < ids.size(); ++i) ids.data()[i] = static_cast<std::int32_t>((7 * i + 3) % 97);
    Tensor<float, Shape<Dyn, Dyn, Dyn>> expected(Shape<Dyn, Dyn, Dyn>(2, 12, 97));
    golden.load_into(expected, "logits");
    const auto differs_from_golden = [&] {
      const auto found = logits_of(model, ids);
      REQUIRE(static_cast<Index>(found.size()) == expected.size());
      float worst = 0;
      for (std::size_t i = 0; i < found.size(); ++i) worst = std::max(worst, std::abs(found[i] - expected.data()[i]));
      return worst;
    };
    CHECK(differs_from_golden() > 0.1F);
    load_lora(model, goldens + name);
    CHECK(differs_from_golden() < 2e-5F);
    merge_lora(model);
    CHECK(differs_from_golden() < 2e-5F);
  }
}

TEST_CASE("adapters come back from their folder, and a model with adapters is not saved as one without") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  add_lora(model, {.r = 3, .lora_alpha = 4, .target_modules = {"q_proj", "layers.1.mlp.up_proj"}, .use_rslora = true},
           Rng(5));
  randomize_adapters(model);
  save_lora(model, folder / "adapter", "tiny");
  auto again = random_model<TinyLlama>(1);
  load_lora(again, folder / "adapter");
  const Ids ids = random_ids(2, 5, 2);
  CHECK(logits_of(again, ids) == logits_of(model, ids));
  CHECK_THROWS_WITH(
      save_pretrained(model, folder / "model"),
      "save_pretrained: the model has adapters; merge_lora(model) first, or save_lora(model, folder) saves "
      "them alone");
  CHECK_THROWS_WITH(load_lora(again, folder / "adapter"), Catch::Matchers::ContainsSubstring("has an adapter already"));
  remove_lora(again);
  CHECK_THROWS_WITH(save_lora(again, folder / "none"), "save_lora: the model has no adapters; add_lora comes first");
}

TEST_CASE("what PEFT has beyond plain adapters is refused by its name") {
  const TemporaryFolder folder;
  const std::string path = saved_adapters(folder, {});
  const std::string only = " is supported only where it is null, false or empty, found ";
  CHECK(refusal(path, R"("use_qalora": true)") == "use_qalora" + only + "true");
  CHECK(refusal(path, R"("rank_pattern": {"q_proj": 2})") == "rank_pattern" + only + R"({"q_proj":2})");
  CHECK(refusal(path, R"("lora_bias": true)") == "lora_bias" + only + "true");
  CHECK(refusal(path, R"("layer_replication": [[0, 1]])") == "layer_replication" + only + "[[0,1]]");
  CHECK(refusal(path, R"("revision": "main", "a_new_field": 5, "kasa_config": null)") == "no error");
}

TEST_CASE("adapters of layers that the configuration leaves out are refused") {
  const TemporaryFolder folder;
  const std::string path = saved_adapters(folder, {.target_modules = {"q_proj"}});
  const auto found = [](const std::string& value) { return ", found " + value + ", but there is an adapter for it"; };
  const std::string first = "model.layers.0.self_attn.q_proj", second = "model.layers.1.self_attn.q_proj";
  CHECK(refusal(path, R"("layers_to_transform": [0])") ==
        "layers_to_transform must have the layer of " + second + found("[0]"));
  CHECK(refusal(path, R"("layers_to_transform": 1)") ==
        "layers_to_transform must have the layer of " + first + found("1"));
  CHECK(refusal(path, R"("layers_to_transform": [0, 1])") == "no error");
  CHECK(refusal(path, R"("layers_to_transform": [])") == "no error");
  CHECK(refusal(path, R"("exclude_modules": ["up_proj", "layers.1.self_attn.q_proj"])") ==
        "exclude_modules must not name " + second + found(R"(["up_proj","layers.1.self_attn.q_proj"])"));
  CHECK(refusal(path, R"("exclude_modules": ["proj"])") == "no error");
  CHECK(refusal(path, R"("layers_to_transform": [0, 1], "layers_pattern": "layers")") == "no error");
  CHECK(refusal(path, R"("layers_to_transform": [0, 1], "layers_pattern": ["h"])") ==
        R"(layers_pattern is supported only where it is null or "layers", found ["h"])");
  CHECK(refusal(path, R"("layers_pattern": "h")") == "no error");
}

TEST_CASE("target_modules of a folder of adapters must have all of them, as PEFT reads it") {
  const TemporaryFolder folder;
  const std::string path = saved_adapters(folder, {.target_modules = {"lm_head", "layers.1.self_attn.q_proj"}});
  detail::Json config = detail::parse_json(read_text(path + "/adapter_config.json"), "config");
  const auto with_targets = [&](const std::string& targets, const std::string& line) {
    (*config.get_if<detail::Json::Object>())["target_modules"] = detail::parse_json(targets, "targets");
    write_text(path + "/adapter_config.json", detail::json_text(config));
    return refusal(path, line);
  };
  const std::string none = R"("revision": "main")", query = "model.layers.1.self_attn.q_proj";
  const std::string there = ", but there is an adapter for it";
  CHECK(with_targets(R"(["lm_head", "q_proj"])", none) == "no error");
  CHECK(with_targets(R"(["lm_head", "k_proj"])", none) ==
        "target_modules must name " + query + R"(, found ["lm_head","k_proj"])" + there);
  CHECK(with_targets(R"(["all-linear"])", none) == "target_modules must name lm_head, found [\"all-linear\"]" + there);
  CHECK(with_targets(R"("all-linear")", none) == "target_modules must name lm_head, found \"all-linear\"" + there);
  CHECK(with_targets(R"(".*_proj|lm_head")", none) == "no error");  // an expression is not judged

  // Whole names are taken whatever the layers.
  CHECK(with_targets(R"(["lm_head", "q_proj"])", R"("layers_to_transform": [1])") == "no error");
  CHECK(with_targets("[\"lm_head\", \"" + query + "\"]", R"("layers_to_transform": [0])") == "no error");
  CHECK(with_targets(R"(["lm_head", "q_proj"])", R"("layers_to_transform": [0])") ==
        "layers_to_transform must have the layer of " + query + ", found [0]" + there);
}

TEST_CASE("weights of the model that a file of adapters repeats are compared with it") {
  const TemporaryFolder folder;
  const std::string path = saved_adapters(folder, {.target_modules = {"lm_head"}});
  const std::string file = path + "/adapter_model.safetensors";
  const auto model = random_model<TinyLlama>(1);
  const auto with_weight = [&](const std::string& name, const auto& weight) {
    const SafetensorsFile adapters(file);
    SafetensorsWriter writer;
    for (const char* part : {"base_model.model.lm_head.lora_A.weight", "base_model.model.lm_head.lora_B.weight"}) {
      const SafetensorsTensor& tensor = adapters.tensor(part);
      writer.add_computed(part, tensor.dtype, {tensor.shape.begin(), tensor.shape.end()},
                          [bytes = tensor.bytes](std::size_t offset, std::span<std::byte> to) {
                            std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), to.size(), to.begin());
                          });
    }
    writer.add(name, weight);
    const std::string other = folder / "other";
    std::filesystem::create_directories(other);
    writer.write(other + "/adapter_model.safetensors");
    write_text(other + "/adapter_config.json", read_text(path + "/adapter_config.json"));
    return refusal(other, R"("revision": "main")");
  };
  const std::string under_adapter = "base_model.model.lm_head.base_layer.weight";
  const auto& head = model.lm_head->weight;
  CHECK(with_weight(under_adapter, head) == "no error");
  CHECK(with_weight("base_model.model.model.embed_tokens.weight", model.model.embed_tokens.weight) == "no error");

  Tensor<bf16, Shape<Dyn, Dyn>> rounded(Shape<Dyn, Dyn>(head.extent(0), head.extent(1)));
  for (Index i = 0; i < rounded.size(); ++i) rounded.data()[i] = bf16(head.data()[i]);
  CHECK(with_weight(under_adapter, rounded) == "no error");

  const std::string other_values =
      " must repeat the model's own \"lm_head.weight\", since only adapters are taken from such a file, and it "
      "does not";
  rounded.data()[rounded.size() - 1] = bf16(7.0F);
  CHECK_THAT(with_weight(under_adapter, rounded), Catch::Matchers::EndsWith(other_values));
  CHECK_THAT(with_weight(under_adapter, model.model.embed_tokens.weight), !Catch::Matchers::EndsWith("no error"));
  CHECK_THAT(with_weight("base_model.model.head.weight", head),
             Catch::Matchers::ContainsSubstring("own \"head.weight\""));
}

TEST_CASE("alpha of a folder of adapters is no negative number") {
  const TemporaryFolder folder;
  const std::string path = saved_adapters(folder, {});
  const std::string saved = read_text(path + "/adapter_config.json");
  const std::size_t begin = saved.find("\"lora_alpha\": ") + 14;
  const std::size_t end = saved.find(',', begin);
  for (const char* alpha : {"-2", "-2.5"}) {
    std::string text = saved;
    write_text(path + "/adapter_config.json", text.replace(begin, end - begin, alpha));
    CHECK(refusal(path, R"("revision": "main")") ==
          std::string("lora_alpha must be a number, not negative, found ") + alpha);
  }
}

TEST_CASE("an adapter of another shape is refused before memory is taken for it") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  add_lora(model, {.target_modules = {"layers.0.self_attn.q_proj"}}, Rng(5));
  save_lora(model, folder / "adapter");
  remove_lora(model);
  const std::string path = folder / "adapter/adapter_config.json";
  std::string text = read_text(path);
  text.replace(text.find("\"r\": 8"), 6, "\"r\": 1048576");
  write_text(path, text);
  CHECK_THROWS_WITH(
      load_lora(model, folder / "adapter"),
      Catch::Matchers::ContainsSubstring(
          "\"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight\" must be [1048576, 24], as r = 1048576 "
          "of adapter_config.json and the layer have it, found F32 [8, 24]"));
  CHECK_FALSE(has_lora(model));
  SafetensorsWriter empty;  // no bytes, and an adapter of such a rank would take gigabytes
  const Tensor<float, Shape<Dyn, Dyn>> a(Shape<Dyn, Dyn>(1048576, 0));
  empty.add("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", a);
  empty.add("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", a);
  empty.write(folder / "adapter/adapter_model.safetensors");
  CHECK_THROWS_WITH(load_lora(model, folder / "adapter"),
                    Catch::Matchers::ContainsSubstring("must be [1048576, 24]") &&
                        Catch::Matchers::ContainsSubstring("found F32 [1048576, 0]"));
}
