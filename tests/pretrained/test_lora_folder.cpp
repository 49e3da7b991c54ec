// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <span>

#include "weft/io/convert_pretrained.hpp"
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
  auto model = random_model<TinyLlama>(1);
  add_lora(model, {}, Rng(5));
  const std::string path = folder / "adapter";
  save_lora(model, path);
  const std::string only = " is supported only where it is null, false or empty, found ";
  CHECK(refusal(path, R"("use_qalora": true)") == "use_qalora" + only + "true");
  CHECK(refusal(path, R"("rank_pattern": {"q_proj": 2})") == "rank_pattern" + only + R"({"q_proj":2})");
  CHECK(refusal(path, R"("lora_bias": true)") == "lora_bias" + only + "true");
  CHECK(refusal(path, R"("layer_replication": [[0, 1]])") == "layer_replication" + only + "[[0,1]]");
  CHECK(refusal(path, R"("revision": "main", "a_new_field": 5, "kasa_config": null)") == "no error");
}

TEST_CASE("adapters go into the files of every model folder as into the model") {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  for (const char* kind : {"/models", "/transformers"}) {
    for (const fs::directory_entry& entry : fs::directory_iterator(goldens + kind)) {
      INFO(entry.path());
      auto model = load_pretrained<Dynamic>(entry.path().string());
      const auto names = add_lora(model, {.r = 3, .lora_alpha = 4, .target_modules = {"all-linear"}}, Rng(5));
      randomize_adapters(model);
      const std::string adapter = folder / ("adapter" + entry.path().filename().string());
      save_lora(model, adapter);
      const std::string merged = folder / ("merged" + entry.path().filename().string());
      const ConvertReport report =
          convert_pretrained(entry.path().string(), merged, {.dtype = "F32", .adapter = adapter});
      CHECK(report.merged == names.size());
      const Ids ids = random_ids(2, 8, 2, static_cast<std::uint32_t>(model.vocab_size()));
      const auto expected = logits_of(model, ids);
      const auto found = logits_of(load_pretrained<Dynamic>(merged), ids);
      float size = 0, worst = 0;
      for (std::size_t i = 0; i < found.size(); ++i) {
        size = std::max(size, std::abs(expected[i]));
        worst = std::max(worst, std::abs(found[i] - expected[i]));
      }
      CHECK(worst <= 1e-5F * size);
    }
  }
}

TEST_CASE("a weight takes its adapter in whatever piece of it is at hand") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder / "model");
  add_lora(model, {.r = 3, .target_modules = {"layers.1.mlp.up_proj"}}, Rng(5));
  randomize_adapters(model);
  save_lora(model, folder / "adapter");
  convert_pretrained(folder / "model", folder / "merged", {.dtype = "BF16", .adapter = folder / "adapter"});
  merge_lora(model);
  const SafetensorsFile file(folder / "merged/model.safetensors");
  const auto& weight = model.model.layers[1].mlp.up_proj.weight;
  const SafetensorsTensor& found = file.tensor("model.layers.1.mlp.up_proj.weight");
  REQUIRE(found.dtype == "BF16");
  std::vector<bf16> elements(static_cast<std::size_t>(weight.size()));
  REQUIRE(found.bytes.size() == elements.size() * sizeof(bf16));
  std::memcpy(elements.data(), found.bytes.data(), found.bytes.size());
  for (std::size_t i = 0; i < elements.size(); ++i) {
    CHECK(static_cast<float>(elements[i]) == Approx(weight.data()[i]).epsilon(0x1p-8));
  }

  const ModelWeights weights(folder / "model");
  const detail::MergedAdapter adapter(folder / "adapter", weights.tensors(), false);
  const std::string name = "model.layers.1.mlp.up_proj.weight";
  CHECK(adapter.changes(name));
  CHECK_FALSE(adapter.changes("model.layers.0.mlp.up_proj.weight"));
  std::vector<float> whole(static_cast<std::size_t>(weight.size()), 1.0F);
  std::vector<float> pieces = whole;
  adapter.add_to(name, 0, whole);
  for (std::size_t first = 0; first < pieces.size(); first += 31) {
    adapter.add_to(name, first, std::span(pieces).subspan(first, std::min<std::size_t>(31, pieces.size() - first)));
  }
  CHECK(pieces == whole);
}

TEST_CASE("adapters of another model are not merged, and nothing is written") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder / "model");
  const auto refused = [&](const std::string& target) {
    auto other = random_model<TinyGIN>(1);
    add_lora(other, {.target_modules = {target}}, Rng(5));
    save_lora(other, folder / "adapter");
    std::string message = "no error";
    try {
      convert_pretrained(folder / "model", folder / "merged", {.adapter = folder / "adapter"});
    } catch (const Error& error) {
      message = error.what();
    }
    CHECK_FALSE(std::filesystem::exists(folder / "merged"));
    return message;
  };
  CHECK_THAT(refused("k_proj"), Catch::Matchers::ContainsSubstring("lora_B.weight") &&
                                    Catch::Matchers::ContainsSubstring("adapter_model.safetensors"));
  CHECK_THROWS_WITH(convert_pretrained(folder / "model", folder / "merged", {.adapter = folder / "none"}),
                    Catch::Matchers::ContainsSubstring("none/adapter_config.json"));
}

TEST_CASE("an adapter of lm_head has no place where that is the embedding") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder / "model");
  add_lora(model, {.target_modules = {"lm_head"}}, Rng(5));
  save_lora(model, folder / "adapter");
  const std::string path = folder / "model/config.json";
  std::string config = read_text(path);
  const std::string apart = "\"tie_word_embeddings\": false";
  REQUIRE(config.find(apart) != std::string::npos);
  convert_pretrained(folder / "model", folder / "merged", {.adapter = folder / "adapter"});
  write_text(path, config.replace(config.find(apart), apart.size(), "\"tie_word_embeddings\": true"));
  CHECK_THROWS_WITH(convert_pretrained(folder / "model", folder / "tied", {.adapter = folder / "adapter"}),
                    Catch::Matchers::ContainsSubstring("the model has no tensor \"lm_head.weight\" of its own"));
}

TEST_CASE("a weight that its adapter makes infinite is refused") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder / "model");
  add_lora(model, {.lora_alpha = 1e38, .target_modules = {"q_proj"}}, Rng(5));
  for_each_parameter(model, [&](const ParameterName& name, auto& parameter) {
    if (name.name.find("lora_") != std::string::npos) std::fill_n(parameter.data(), parameter.size(), 10.0F);
  });
  save_lora(model, folder / "adapter");
  for (const char* dtype : {"", "F16"}) {
    CHECK_THROWS_WITH(
        convert_pretrained(folder / "model", folder / "merged", {.dtype = dtype, .adapter = folder / "adapter"}),
        Catch::Matchers::ContainsSubstring("q_proj.weight\" is not finite with its adapter"));
    CHECK_FALSE(std::filesystem::exists(folder / "merged"));
  }
}

TEST_CASE("an adapter of another shape is refused before memory is taken for it") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder / "model");
  add_lora(model, {.target_modules = {"layers.0.self_attn.q_proj"}}, Rng(5));
  save_lora(model, folder / "adapter");
  remove_lora(model);
  const std::string path = folder / "adapter/adapter_config.json";
  std::string text = read_text(path);
  text.replace(text.find("\"r\": 8"), 6, "\"r\": 1048576");
  write_text(path, text);
  const auto says = Catch::Matchers::ContainsSubstring(
      "\"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight\" must be [1048576, 24], as r = 1048576 "
      "of adapter_config.json and the layer have it, found F32 [8, 24]");
  CHECK_THROWS_WITH(load_lora(model, folder / "adapter"), says);
  CHECK_FALSE(has_lora(model));
  CHECK_THROWS_WITH(convert_pretrained(folder / "model", folder / "merged", {.adapter = folder / "adapter"}), says);
  SafetensorsWriter empty;  // no bytes, and an adapter of such a rank would take gigabytes
  const Tensor<float, Shape<Dyn, Dyn>> a(Shape<Dyn, Dyn>(1048576, 0));
  empty.add("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", a);
  empty.add("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", a);
  empty.write(folder / "adapter/adapter_model.safetensors");
  CHECK_THROWS_WITH(load_lora(model, folder / "adapter"),
                    Catch::Matchers::ContainsSubstring("must be [1048576, 24]") &&
                        Catch::Matchers::ContainsSubstring("found F32 [1048576, 0]"));
}
