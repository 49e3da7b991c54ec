// SPDX-License-Identifier: Apache-2.0
// change_goldens GOLDENS FOLDER: copies of golden files that are wrong in one place each, or right in an unusual way, for
// changed_goldens.cmake.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include "weft/io/safetensors_reader.hpp"
#include "weft/io/safetensors_writer.hpp"

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// A golden file with changes.
class Copy {
 public:
  explicit Copy(const fs::path& path) : file_(path.string()), metadata_(file_.metadata()) {}

  /// Changes or adds an entry of a JSON object in the metadata.
  Copy& set(const std::string& text, const std::string& entry, const Json& value) {
    Json json = metadata_[text].empty() ? Json::object() : Json::parse(metadata_[text]);
    json[entry] = value;
    metadata_[text] = json.dump();
    return *this;
  }

  Copy& without_gradient(const std::string& name) {
    left_out_.insert("grad_" + name);
    return *this;
  }

  Copy& with_undefined_gradient(const std::string& name) {
    metadata_["grad_none"] = Json::array({name}).dump();
    return without_gradient(name);
  }

  /// Changes the first element of a tensor.
  Copy& set_first(const std::string& name, float value) {
    first_[name] = value;
    return *this;
  }

  float first(const std::string& name) const {
    float value = 0;
    std::memcpy(&value, file_.tensor(name).bytes.data(), sizeof value);
    return value;
  }

  void write(const fs::path& path) const {
    weft::SafetensorsWriter writer(metadata_);
    for (const weft::SafetensorsTensor& tensor : file_.tensors()) {
      const std::string name(tensor.name);
      if (left_out_.contains(name)) continue;
      writer.add_computed(name, tensor.dtype, {tensor.shape.begin(), tensor.shape.end()},
                          [&, name](std::size_t offset, std::span<std::byte> bytes) {
                            std::memcpy(bytes.data(), tensor.bytes.data() + offset, bytes.size());
                            const auto first = first_.find(name);
                            if (first != first_.end() && offset == 0) {
                              std::memcpy(bytes.data(), &first->second, sizeof(float));
                            }
                          });
    }
    writer.write(path.string());
  }

 private:
  weft::SafetensorsFile file_;
  std::map<std::string, std::string> metadata_;
  std::set<std::string> left_out_;
  std::map<std::string, float> first_;
};

void change_constants(const fs::path& layers, const fs::path& to) {
  const auto change = [&](const std::string& from, const std::string& parameter, const Json& value,
                          const std::string& name) {
    Copy(layers / (from + ".safetensors")).set("init_const", parameter, value).write(to / (name + ".safetensors"));
  };
  change("adjrmsnorm_scalar_4d", "weight", 2.0, "constant_wrong");
  change("adjrmsnorm_scalar_4d", "bias", 0.0, "constant_of_nothing");
  change("adjrmsnorm_scalar_4d", "weight", "one", "constant_of_letters");
  change("ginlayer_expand", "mlp.2.weight", 1.0, "constant_by_second_name");
  change("ginlayer_expand", "mlp.2.weight", 0.5, "constant_by_second_name_wrong");
  change("ginlayer_expand", "mlp.0.weight", 0.0, "constant_where_drawn");
  change("gin_sharp_random", "sharpening_parameters.0", 3.0, "constant_out_of_range");
  change("agg_adj_sigmoid", "mlp.3.bias", 0.5, "constant_of_torch_out_of_range");
  change("hf_rope_linear", "weight", 1.0, "constant_of_no_layer");
}

void change_gradients(const fs::path& layers, const fs::path& to) {
  const fs::path norm = layers / "adjrmsnorm_scalar_4d.safetensors";
  Copy(norm).with_undefined_gradient("param.weight").write(to / "gradient_of_parameter_undefined.safetensors");
  Copy(norm).with_undefined_gradient("in.x").write(to / "gradient_of_input_undefined.safetensors");
}

void change_numbers(const fs::path& layers, const fs::path& to) {
  Copy softplus(layers / "fn_sharp_softplus_b1.safetensors");
  softplus.set_first("in.x", INFINITY).set_first("out.output", INFINITY);
  softplus.set_first("grad_in.x", softplus.first("loss.weight"));
  softplus.write(to / "infinity_equal.safetensors");
  softplus.set_first("out.output", -INFINITY).write(to / "infinity_of_other_sign.safetensors");
}

void change_layer_index(const fs::path& layers, const fs::path& to) {
  const auto change = [&](const std::string& from, const Json& value, const std::string& name) {
    Copy(layers / (from + ".safetensors")).set("ctor", "layer_idx", value).write(to / (name + ".safetensors"));
  };
  change("gin_default", nullptr, "index_none");
  change("gin_diff_layer2", nullptr, "index_none_of_lambda");
  change("dec_sparse_gin_layer1of3", nullptr, "index_none_of_scale");
  change("dec_plain", nullptr, "index_none_of_plain_layer");
  change("gin_default", "two", "index_of_letters");
}

void change_model(const fs::path& model, const fs::path& to) {
  fs::create_directories(to);
  fs::copy(model / "config.json", to / "config.json");
  fs::copy(model / "model.safetensors", to / "model.safetensors");
  Copy(model / "golden.safetensors").set("init_const", "model.norm.weight", 2.0).write(to / "golden.safetensors");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return EXIT_FAILURE;
  const fs::path goldens = argv[1];
  const fs::path folder = argv[2];
  fs::create_directories(folder);
  change_constants(goldens / "layers", folder);
  change_gradients(goldens / "layers", folder);
  change_numbers(goldens / "layers", folder);
  change_layer_index(goldens / "layers", folder);
  change_model(goldens / "models" / "plain_tied", folder / "model_of_wrong_constant");
}
