// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <vector>

#include "weft/io/model_weights.hpp"
#include "weft/io/pretrained.hpp"
#include "weft/io/pretrained_transformer.hpp"

#include "models/tiny_models.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;

namespace {

namespace fs = std::filesystem;

constexpr SaveOptions kSmall{.max_shard_size = 4096};

std::vector<std::string> files_of(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

template <class Model>
std::vector<float> weights_of(Model& model) {
  std::vector<float> weights;
  for_each_parameter(model, [&](const ParameterName&, const auto& parameter) {
    const auto values = parameter.value().span();
    weights.insert(weights.end(), values.begin(), values.end());
  });
  return weights;
}

/// A folder with a tiny Llama in shards, and its index.
struct Sharded {
  TemporaryFolder folder;
  std::string index = folder / "model.safetensors.index.json";

  Sharded() { save_pretrained(random_model<TinyLlama>(1), folder.path(), kSmall); }

  void replace(const std::string& what, const std::string& with) const {
    std::string text = read_text(index);
    REQUIRE(text.find(what) != std::string::npos);
    write_text(index, text.replace(text.find(what), what.size(), with));
  }
};

}  // namespace

TEST_CASE("weights in shards come back as from one file") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder / "one");
  save_pretrained(model, folder / "many", kSmall);
  CHECK(fs::exists(folder / "one/model.safetensors"));
  CHECK_FALSE(fs::exists(folder / "many/model.safetensors"));
  CHECK(files_of(folder / "many").size() > 4);
  const ModelWeights weights(folder / "many");
  for (const auto& file : weights.tensors().files()) {
    CHECK((file.tensors().size() == 1 || fs::file_size(file.path()) < 4096 + 2048));
  }
  auto one = load_pretrained<TinyLlama>(folder / "one");
  auto many = load_pretrained<TinyLlama>(folder / "many");
  CHECK(weights_of(one) == weights_of(model));
  CHECK(weights_of(many) == weights_of(model));
  auto transferred = random_model<TinyLlama>(2);
  load_pretrained_transformer(folder / "many", transferred);
  CHECK(weights_of(transferred) == weights_of(model));
}

TEST_CASE("a model that is saved over another leaves none of its files behind") {
  const TemporaryFolder folder;
  auto first = random_model<TinyLlama>(1);
  auto second = random_model<TinyLlama>(2);
  save_pretrained(first, folder.path(), kSmall);
  const auto shards = files_of(folder.path());
  save_pretrained(second, folder.path(), kSmall);
  const auto other_shards = files_of(folder.path());
  CHECK(other_shards.size() == shards.size());
  CHECK(other_shards != shards);  // the old ones stood until the new index did
  auto loaded = load_pretrained<TinyLlama>(folder.path());
  CHECK(weights_of(loaded) == weights_of(second));
  save_pretrained(first, folder.path());
  CHECK(files_of(folder.path()) == std::vector<std::string>{"config.json", "model.safetensors"});
  save_pretrained(second, folder.path(), kSmall);
  CHECK(files_of(folder.path()) == shards);
}

TEST_CASE("an index that contradicts its shards is refused by name") {
  const auto refuses = [](const Sharded& model, const std::string& what) {
    CHECK_THROWS_WITH(ModelWeights(model.folder.path()), ContainsSubstring(model.index) && ContainsSubstring(what));
  };
  const Sharded moved;
  moved.replace("\"lm_head.weight\": \"model-",
                "\"lm_head.weight\": \"model-00001-of-00002.safetensors\", \"x\": \"model-");
  CHECK_THROWS(ModelWeights(moved.folder.path()));
  const Sharded missing;
  missing.replace("\"model.norm.weight\"", "\"model.another.weight\"");
  refuses(missing, "\"model.norm.weight\" is in \"model-");
  const Sharded outside;
  outside.replace(": \"model-0", ": \"../model-0");
  refuses(outside, "must be the name of a file beside it");
  const Sharded number;
  number.replace("\"weight_map\": {", "\"weight_map\": 7, \"rest\": {");
  refuses(number, "an object weight_map is expected");
  const Sharded more;
  more.replace("\"weight_map\": {", "\"weight_map\": {\"loom\": \"" + fs::path(more.folder / "").string() + "\",");
  refuses(more, "must be the name of a file beside it");
}

TEST_CASE("a missing shard is named, and the model stays as it was") {
  const Sharded model;
  for (const auto& file : files_of(model.folder.path())) {
    if (file.starts_with("model-00002")) fs::remove(model.folder / file);
  }
  CHECK_THROWS_WITH(load_pretrained<TinyLlama>(model.folder.path()), ContainsSubstring("model-00002"));
}

TEST_CASE("a folder without weights that are read says what it has instead") {
  const TemporaryFolder folder;
  const auto refuses = [&](const std::string& found) {
    CHECK_THROWS_WITH(ModelWeights(folder.path()),
                      folder.path() +
                          ": model.safetensors, or model.safetensors.index.json with its shards, is expected; of "
                          "weights, found " +
                          found);
  };
  write_text(folder / "config.json", "{}");
  write_text(folder / "training_args.bin", "");
  refuses("nothing");
  write_text(folder / "pytorch_model.bin", "");
  write_text(folder / "consolidated.safetensors", "");
  refuses("consolidated.safetensors, pytorch_model.bin");
}

TEST_CASE("a folder of adapters is no model") {
  const TemporaryFolder folder;
  write_text(folder / "adapter_config.json", "{}");
  CHECK_THROWS_WITH(load_pretrained<TinyLlama>(folder.path()),
                    ContainsSubstring("cannot open " + folder / "config.json") &&
                        ContainsSubstring("has adapters of a model (adapter_config.json), not the model"));
}

TEST_CASE("a pointer of Git LFS is told from the file that it stands for") {
  const TemporaryFolder folder;
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 538090408\n";
  save_pretrained(random_model<TinyLlama>(1), folder.path());
  for (const char* name : {"model.safetensors", "config.json"}) {
    write_text(folder / name, pointer);
    CHECK_THROWS_WITH(load_pretrained<TinyLlama>(folder.path()),
                      "cannot read " + folder / name +
                          ": it is a pointer of Git LFS to a file that is not here; git lfs pull brings it");
  }
}

TEST_CASE("what old files say of rotary frequencies is passed over") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder.path());
  const Tensor<float, Shape<4>> frequencies;
  SafetensorsWriter writer;
  for_each_parameter(model, [&](const ParameterName& name, const auto& p) { writer.add(name.name, p); });
  writer.add("model.layers.0.self_attn.rotary_emb.inv_freq", frequencies);
  writer.write(folder / "model.safetensors");
  auto loaded = load_pretrained<TinyLlama>(folder.path());
  CHECK(weights_of(loaded) == weights_of(model));
}

TEST_CASE("a loaded model has its weights where the file has them, and leaves the file alone") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder.path());
  const std::string before = read_text(folder / "model.safetensors");
  auto loaded = load_pretrained<TinyLlama>(folder.path());
  const auto expected = weights_of(model);
  CHECK(weights_of(loaded) == expected);
  loaded.model.norm.weight.data()[0] += 1;
  auto moved = std::move(loaded);  // the parameters keep the mapping, wherever they go
  CHECK(weights_of(moved) != expected);
  CHECK(read_text(folder / "model.safetensors") == before);
  save_pretrained(moved, folder.path());  // over the file that it lives on
  CHECK(weights_of(moved) == weights_of(*std::make_unique<decltype(moved)>(load_pretrained<TinyLlama>(folder.path()))));
}

TEST_CASE("elements of another type, or in memory of somebody else, are copied") {
  Parameter<float, Shape<3>> parameter;
  SafetensorsWriter writer;
  const Tensor<double, Shape<3>> doubles;
  const Tensor<float, Shape<3>> floats;
  writer.add("doubles", doubles);
  writer.add("floats", floats);
  const TemporaryFolder folder;
  writer.write(folder / "file");
  const AnyParameter any(ParameterName("parameter"), parameter);
  const float* const own = parameter.data();
  {
    const SafetensorsFile file(folder / "file");
    file.map_parameter(any, "doubles");
    CHECK(parameter.data() == own);
    file.map_parameter(any, "floats");
    CHECK(parameter.data() != own);
  }
  CHECK(parameter.data()[2] == 0);  // the mapping outlives the file object
  const std::string bytes = read_text(folder / "file");
  const SafetensorsFile in_memory(std::as_bytes(std::span(bytes)), "memory");
  const float* const mapped = parameter.data();
  in_memory.map_parameter(any, "floats");
  CHECK(parameter.data() == mapped);
}

TEST_CASE("only shards are removed, whatever an index beside them names") {
  const TemporaryFolder folder;
  auto model = random_model<TinyLlama>(1);
  save_pretrained(model, folder.path());
  write_text(folder / "tokenizer.json", "{}");
  write_text(folder / "other.safetensors", "");
  write_text(folder / "model.safetensors.index.json",
             R"({"weight_map": {"a": "model.safetensors", "b": "tokenizer.json", "c": "other.safetensors"}})");
  auto loaded = load_pretrained<TinyLlama>(folder.path());
  save_pretrained(loaded, folder.path());
  CHECK(files_of(folder.path()) ==
        std::vector<std::string>{"config.json", "model.safetensors", "other.safetensors", "tokenizer.json"});
  write_text(folder / "model.safetensors.index.json", "no JSON");
  save_pretrained(loaded, folder.path(), kSmall);
  auto again = load_pretrained<TinyLlama>(folder.path());
  CHECK(weights_of(again) == weights_of(model));
}
