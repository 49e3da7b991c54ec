// SPDX-License-Identifier: Apache-2.0
/// \file
/// Adapters as a folder, as Hugging Face's PEFT lays it out: `adapter_config.json` and `adapter_model.safetensors`.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/folder.hpp"
#include "weft/io/lora_config.hpp"
#include "weft/io/model_file.hpp"
#include "weft/io/repeated_weights.hpp"
#include "weft/io/text_file.hpp"
#include "weft/models/lora.hpp"

namespace weft {

namespace detail {

inline constexpr std::string_view kAdapterPrefix = "base_model.model.";

/// What a file of adapters holds.
struct AdapterNames {
  std::set<std::string> modules;                ///< that have an adapter
  std::map<std::string, std::string> repeated;  ///< weights of the model itself, by their names there
};

/// PEFT writes the weight under an adapter of lm_head beside it, and embeddings where it is asked to. An error for a tensor that
/// is no part of an adapter and no weight.
inline AdapterNames names_in_adapters(const SafetensorsFile& file) {
  AdapterNames names;
  for (const SafetensorsTensor& tensor : file.tensors()) {
    std::string_view name = tensor.name;
    if (!name.starts_with(kAdapterPrefix) || !name.ends_with(".weight")) {
      fail(concat(file.path(), ": every tensor must be called ", kAdapterPrefix,
                  "LAYER.lora_A.weight or LAYER.lora_B.weight, found ", in_quotes(name)));
    }
    name.remove_prefix(kAdapterPrefix.size());
    name.remove_suffix(std::string_view(".weight").size());
    if (name.ends_with(".lora_A") || name.ends_with(".lora_B")) {
      names.modules.emplace(name.substr(0, name.rfind('.')));
    } else {
      constexpr std::string_view under_adapter = ".base_layer";
      if (name.ends_with(under_adapter)) name.remove_suffix(under_adapter.size());
      names.repeated.emplace(std::string(name) + ".weight", tensor.name);
    }
  }
  if (names.modules.empty()) fail(concat(file.path(), ": there is no adapter"));
  return names;
}

/// A folder of adapters that has been opened.
class LoraFolder {
 public:
  explicit LoraFolder(const std::string& folder) : LoraFolder(folder, folder + "/adapter_config.json") {}

  const std::string& path() const { return file_.path(); }
  const std::set<std::string>& modules() const { return names_.modules; }

  /// Raises Error unless the weights that the file repeats are the model's: only adapters are taken from it.
  /// \param weight_of  calls its second argument with the model's weight of a name, a StoredWeight; false where there is none
  template <class WeightOf>
  void expect_repeated(WeightOf&& weight_of) const {
    for (const auto& repeated : names_.repeated) {
      const SafetensorsTensor& tensor = file_.tensor(repeated.second);
      bool same = false;
      const auto compare = [&](const StoredWeight& own) { same = same_weight(own, stored_weight(tensor)); };
      if (weight_of(repeated.first, compare) && same) continue;
      fail(concat(path(), ": tensor ", in_quotes(tensor.name), " must repeat the model's own ",
                  in_quotes(repeated.first), ", since only adapters are taken from such a file, and it does not"));
    }
  }

  /// Of one of the modules. Raises Error, before memory is taken, where its matrices have another shape than the rank in the
  /// configuration and the layer ask for.
  template <class Adapter>
  Adapter adapter(const std::string& module, Index in_features, Index out_features) const {
    expect(module + ".lora_A.weight", options_.r, in_features);
    expect(module + ".lora_B.weight", out_features, options_.r);
    Adapter adapter(in_features, out_features, options_);
    load_parameters(file_, list_parameters(adapter), concat(kAdapterPrefix, module, "."));
    return adapter;
  }

 private:
  LoraFolder(const std::string& folder, const std::string& config_path)
      : LoraFolder(folder, config_path, parse_json(read_text(config_path), config_path)) {}

  LoraFolder(const std::string& folder, const std::string& config_path, const Json& config)
      : options_(read_lora_options(config, config_path)),
        file_(folder + "/adapter_model.safetensors"),
        names_(names_in_adapters(file_)) {
    expect_chosen(config, config_path, names_.modules);
  }

  void expect(const std::string& matrix, Index rows, Index columns) const {
    const SafetensorsTensor& found = file_.tensor(concat(kAdapterPrefix, matrix));
    if (found.shape.size() == 2 && found.shape[0] == rows && found.shape[1] == columns) return;
    fail(concat(path(), ": tensor ", in_quotes(found.name), " must be [", rows, ", ", columns, "], as r = ", options_.r,
                " of adapter_config.json and the layer have it, found ", found.type_text()));
  }

  LoraAdapterOptions options_;
  SafetensorsFile file_;
  AdapterNames names_;
};

/// The ends of names that mean the layers with an adapter and no others; whole names where there are no such ends.
template <class Sites>
Json::Array lora_targets(const Sites& sites) {
  std::set<std::string> ends, names;
  for (const auto& site : sites) {
    if (!site.place->adapter) continue;
    names.insert(site.module);
    ends.insert(site.module.substr(site.module.rfind('.') + 1));
  }
  const bool exact = std::all_of(sites.begin(), sites.end(), [&](const auto& site) {
    return (site.place->adapter != nullptr) == ends.contains(site.module.substr(site.module.rfind('.') + 1));
  });
  const auto& chosen = exact ? ends : names;
  return {chosen.begin(), chosen.end()};
}

/// The options that all adapters share. An error where they differ or there are none.
template <class Sites>
LoraAdapterOptions common_lora_options(const Sites& sites) {
  const LoraAdapterOptions* common = nullptr;
  for (const auto& site : sites) {
    if (!site.place->adapter) continue;
    const LoraAdapterOptions& options = site.place->adapter->options();
    if (common == nullptr) common = &options;
    const bool same = options.r == common->r && options.lora_alpha == common->lora_alpha &&
                      options.lora_dropout == common->lora_dropout && options.use_rslora == common->use_rslora;
    if (!same) fail(concat("save_lora: all adapters must have the same options, but not ", site.module));
  }
  if (common == nullptr) fail("save_lora: the model has no adapters; add_lora comes first");
  return *common;
}

}  // namespace detail

/// Writes the adapters of a model, and nothing of the model itself, into a folder, which is made if it is missing.
///
/// \param base_model  what the folder says of the model that the adapters belong to: its name or path
template <class Model>
void save_lora(const Model& model, const std::string& folder, const std::string& base_model = "") {
  using detail::Json;
  const auto sites = detail::lora_sites(const_cast<Model&>(model));
  const LoraAdapterOptions options = detail::common_lora_options(sites);
  SafetensorsWriter writer(std::map<std::string, std::string>{{"format", "pt"}});
  for (const auto& site : sites) {
    if (!site.place->adapter) continue;
    const std::string name = concat(detail::kAdapterPrefix, site.module);
    writer.add(name + ".lora_A.weight", site.place->adapter->lora_A);
    writer.add(name + ".lora_B.weight", site.place->adapter->lora_B);
  }
  const Json::Object config{{"base_model_name_or_path", base_model.empty() ? Json() : Json(base_model)},
                            {"bias", "none"},
                            {"fan_in_fan_out", false},
                            {"inference_mode", true},
                            {"init_lora_weights", true},
                            {"lora_alpha", options.lora_alpha},
                            {"lora_dropout", options.lora_dropout},
                            {"modules_to_save", Json()},
                            {"peft_type", "LORA"},
                            {"r", options.r},
                            {"target_modules", detail::lora_targets(sites)},
                            {"task_type", "CAUSAL_LM"},
                            {"use_dora", false},
                            {"use_rslora", options.use_rslora}};
  detail::make_folders(folder);
  writer.write(folder + "/adapter_model.safetensors");
  write_text(folder + "/adapter_config.json", detail::json_lines(config) + "\n");
}

/// Gives a model the adapters of such a folder and freezes everything else. Which layers have one is what the file of weights
/// says; half-precision weights are widened. Weights of the model itself that the file repeats, as PEFT's do beside an adapter of
/// lm_head, must be those of this model, perhaps rounded. Raises Error, with the model as it was, for whatever would change the result and is not
/// here, by its name (DoRA, biases, modules_to_save, ...), for an adapter of a layer that lists in the configuration leave out, and
/// for one that has no place in the model.
template <class Model>
void load_lora(Model& model, const std::string& folder) {
  using Adapter = LoraAdapter<typename Model::Element, typename Model::Device>;
  const detail::LoraFolder adapters(folder);
  const std::vector<AnyParameter> parameters = list_parameters(model);
  const auto sites = detail::lora_sites<typename Model::Element, typename Model::Device>(parameters);
  detail::expect_no_adapters(sites, "load_lora");
  adapters.expect_repeated([&](const std::string& name, auto&& compare) {
    const auto own = std::find_if(parameters.begin(), parameters.end(),
                                  [&](const AnyParameter& parameter) { return parameter.name().name == name; });
    if (own == parameters.end()) return false;
    std::vector<std::byte> copy;
    compare(detail::stored_weight(*own, copy));
    return true;
  });
  std::vector<std::pair<LoraPlace<typename Model::Element, typename Model::Device>*, std::unique_ptr<Adapter>>> loaded;
  for (const std::string& module : adapters.modules()) {
    const auto site = std::find_if(sites.begin(), sites.end(), [&](const auto& one) { return one.module == module; });
    if (site == sites.end()) {
      fail(concat(adapters.path(), ": the model has no linear layer that can have an adapter called ", module,
                  "; there are ", detail::kinds_of_sites(sites)));
    }
    loaded.emplace_back(site->place, std::make_unique<Adapter>(
                                         adapters.adapter<Adapter>(module, site->in_features(), site->out_features())));
  }
  for (auto& [place, adapter] : loaded) place->adapter = std::move(adapter);
  for (const AnyParameter& parameter : parameters) parameter.set_trainable(false);
}

}  // namespace weft
