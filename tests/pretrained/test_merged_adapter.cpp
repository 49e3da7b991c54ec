// SPDX-License-Identifier: Apache-2.0
// Adapters on their way into the weights of files, by convert_pretrained.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <span>

#include "weft/io/convert_pretrained.hpp"
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

/// B is all this value; A is random.
template <class Model>
void fill_adapters(Model& model, float value) {
  for_each_parameter(model, [&](const ParameterName& name, auto& parameter) {
    if (name.name.find("lora_B") != std::string::npos) std::fill_n(parameter.data(), parameter.size(), value);
  });
}

/// A model, whose folder is "model", with adapters, whose folder is "adapter".
LlamaForCausalLMWithGNN<TinyLlama> saved_with_adapters(const TemporaryFolder& folder, const LoraOptions& options,
                                                       float value) {
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder / "model");
  add_lora(model, options, Rng(5));
  fill_adapters(model, value);
  save_lora(model, folder / "adapter");
  return model;
}

}  // namespace

TEST_CASE("adapters go into the files of every model folder as into the model") {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  for (const char* kind : {"/models", "/transformers"}) {
    for (const fs::directory_entry& entry : fs::directory_iterator(goldens + kind)) {
      INFO(entry.path());
      auto model = load_pretrained<Dynamic>(entry.path().string());
      const auto names = add_lora(model, {.r = 3, .lora_alpha = 4, .target_modules = {"all-linear"}}, Rng(5));
      fill_adapters(model, 0.1F);
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
  auto model = saved_with_adapters(folder, {.r = 3, .target_modules = {"layers.1.mlp.up_proj"}}, 0.1F);
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
  saved_with_adapters(folder, {.target_modules = {"lm_head"}}, 0.1F);
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
  saved_with_adapters(folder, {.lora_alpha = 1e38, .target_modules = {"q_proj"}}, 1000);
  for (const char* dtype : {"", "F16"}) {
    CHECK_THROWS_WITH(
        convert_pretrained(folder / "model", folder / "merged", {.dtype = dtype, .adapter = folder / "adapter"}),
        Catch::Matchers::ContainsSubstring("q_proj.weight\" is not finite with its adapter"));
    CHECK_FALSE(std::filesystem::exists(folder / "merged"));
  }
}

TEST_CASE("weights of half precision take adapters in, doubles do not") {
  const TemporaryFolder folder;
  auto model = saved_with_adapters(folder, {.target_modules = {"layers.0.self_attn.q_proj"}}, 0.1F);
  convert_pretrained(folder / "model", folder / "half", {.dtype = "F16"});
  convert_pretrained(folder / "half", folder / "merged", {.dtype = "F32", .adapter = folder / "adapter"});
  merge_lora(model);
  const auto merged = load_pretrained<TinyLlama>(folder / "merged");
  const auto& expected = model.model.layers[0].self_attn.q_proj.weight;
  const auto& found = merged.model.layers[0].self_attn.q_proj.weight;
  for (Index i = 0; i < expected.size(); ++i) CHECK(found.data()[i] == Approx(expected.data()[i]).margin(0x1p-11));

  const Tensor<double, Shape<24, 24>> wide;
  SafetensorsWriter writer;
  writer.add("model.layers.0.self_attn.q_proj.weight", wide);
  writer.write(folder / "half/model.safetensors");
  CHECK_THROWS_WITH(convert_pretrained(folder / "half", folder / "doubles", {.adapter = folder / "adapter"}),
                    Catch::Matchers::ContainsSubstring(
                        "must be a matrix of F32, BF16 or F16 to take an adapter in, found F64 [24, 24]"));
}
