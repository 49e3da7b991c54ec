// SPDX-License-Identifier: Apache-2.0
/// \file
/// Models as folders: config.json and model.safetensors, as Hugging Face lays them out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "weft/io/json_config.hpp"
#include "weft/io/model_file.hpp"
#include "weft/models/llama.hpp"

namespace weft {

/// Writes `config.json` and `model.safetensors` into a folder, which is made if it is missing. Each file replaces an
/// older one as a whole or not at all.
template <class Config, class T>
void save_pretrained(const LlamaForCausalLMWithGNN<Config, T>& model, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(concat("save_pretrained: cannot make the folder ", folder, ": ", error.message()));
  PretrainedConfig config;
  config.llama = model.llama_config();
  config.gnn = model.gnn_config();
  save_parameters(folder + "/model.safetensors", model);
  write_config(folder + "/config.json", config);
}

/// Reads a model from such a folder. `Dynamic` models take their extents from config.json; where the configuration type
/// knows them, a folder of another shape is refused.
///
///     auto model = weft::load_pretrained<weft::Dynamic>("path/to/checkpoint");
///
/// \param notes  gets a sentence for each value of config.json that was replaced by another, unless null
template <class Config, class T = float>
LlamaForCausalLMWithGNN<Config, T> load_pretrained(const std::string& folder,
                                                   std::vector<std::string>* notes = nullptr) {
  PretrainedConfig config = read_config(folder + "/config.json");
  if (notes != nullptr) {
    for (const std::string& note : config.notes) notes->push_back(note);
  }
  if (config.llama.tie_word_embeddings) config.gnn.compatibility.tie_on_construct.reset();  // loading ties (quirk M2)
  if constexpr (!std::is_same_v<Config, Dynamic>) {
    const bool same_attention = config.gnn.use_GNN_from_attention == Config::gnn.use_GNN_from_attention;
    if (!same_attention) {
      fail(concat(folder, "/config.json: gnn_config.use_GNN_from_attention must be ",
                  name_of(Config::gnn.use_GNN_from_attention), " for this model type, found ",
                  name_of(config.gnn.use_GNN_from_attention)));
    }
  }
  LlamaForCausalLMWithGNN<Config, T> model(config.llama, config.gnn, Rng(0));
  load_parameters(folder + "/model.safetensors", model);
  return model;
}

}  // namespace weft
