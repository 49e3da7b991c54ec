// SPDX-License-Identifier: Apache-2.0
/// \file
/// Models as folders: configuration, weights and tokenizer, as Hugging Face lays them out.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/folder.hpp"
#include "weft/io/json_config.hpp"
#include "weft/io/model_weights.hpp"
#include "weft/io/notes.hpp"
#include "weft/io/save_weights.hpp"
#include "weft/models/llama.hpp"
#include "weft/models/lora.hpp"

namespace weft {

namespace detail {

/// What is written as config.json: the model's configuration, and what came with it from another folder. The element type that
/// it names is that of the weights now.
inline PretrainedConfig config_of(const LlamaConfig& llama, const GNNConfig& gnn, const std::string& other,
                                  std::string_view element) {
  PretrainedConfig config;
  config.llama = llama;
  config.gnn = gnn;
  if (!other.empty()) config.other = other;
  Json json = parse_json(config.other, "ConfigRemainder::config");
  set_dtype(expect_object(json, "ConfigRemainder", "config"), element);
  config.other = json_text(json);
  return config;
}

/// A folder's generation_config.json; empty where there is none.
inline std::string read_generation_text(const std::string& folder) {
  const std::string path = folder + "/generation_config.json";
  return path_exists(path) ? read_text(path) : std::string();
}

/// Says no where the type of a model and the folder differ in what no extent shows.
inline void expect_same_attention(const std::string& folder, GNNFromAttention found, GNNFromAttention expected) {
  if (found == expected) return;
  fail(concat(folder, "/config.json: gnn_config.use_GNN_from_attention must be ", name_of(expected),
              " for this model type, found ", name_of(found)));
}

/// Says no to a configuration with more layers than the weights can be of: each has tensors of its own. A layer takes memory when
/// it is made, before its parameters are looked for, and a configuration may ask for two thousand million. A thousand go
/// beyond that for fields that nothing reads.
inline void expect_layers(const std::string& folder, const SafetensorsSet& weights, std::string_view field,
                          int layers) {
  std::size_t most = 1000;
  for (const SafetensorsFile& file : weights.files()) most += file.tensors().size();
  if (layers < 0 || static_cast<std::size_t>(layers) <= most) return;  // what is negative has a rule of its own
  fail(concat(folder, "/config.json: ", field, " must be at most ", most, ", 1000 and the number of tensors in ",
              weights.path(), ", found ", layers));
}

/// The same for the extents of the embedding, which most other parameters share.
inline void expect_embedding(const std::string& folder, const SafetensorsSet& weights, const LlamaConfig& llama) {
  constexpr std::string_view name = "model.embed_tokens.weight";
  if (!weights.contains(name)) return;  // loading says so
  const SafetensorsTensor& tensor = weights.tensor(name);
  const std::array<Index, 2> expected{llama.vocab_size, llama.hidden_size};
  if (same_extents(tensor.shape, expected)) return;
  fail(concat(weights.path(), ": tensor ", in_quotes(name), " must have shape ", extents_text(expected), " as ", folder,
              "/config.json says, found ", tensor.type_text()));
}

inline void expect_room(const std::string& folder, const SafetensorsSet& weights, const PretrainedConfig& config) {
  expect_layers(folder, weights, "num_hidden_layers", config.llama.num_hidden_layers);
  expect_layers(folder, weights, "gnn_config.num_layers", config.gnn.num_layers);
  expect_layers(folder, weights, "gnn_config.num_latent_layers", config.gnn.num_latent_layers);
  expect_embedding(folder, weights, config.llama);
}

}  // namespace detail

/// Writes `config.json` and `model.safetensors`, or shards and their index, into a folder, which is made if it is missing; what
/// else came with a loaded model goes with it, and weights that it had as bf16 and nobody changed are written so. Each
/// file replaces an older one as a whole or not at all; two programs must not save into one folder at once. A
/// model with adapters is refused: `merge_lora` or `save_lora`.
template <class Config, class T>
void save_pretrained(const LlamaForCausalLMWithGNN<Config, T>& model, const std::string& folder,
                     const SaveOptions& options = {}) {
  if (has_lora(model)) {
    fail(
        "save_pretrained: the model has adapters; merge_lora(model) first, or save_lora(model, folder) saves them "
        "alone");
  }
  detail::make_folders(folder);
  const std::vector<AnyParameter> parameters = list_parameters(model);
  detail::save_weights(folder, parameters, options);
  write_config(folder + "/config.json", detail::config_of(model.llama_config(), model.gnn_config(),
                                                          model.remainder.config, detail::common_dtype(parameters)));
  const std::string& generation = model.remainder.generation_config;
  if (!generation.empty()) write_text(folder + "/generation_config.json", generation);
}

/// The same with the files of a tokenizer (`Tokenizer::save_pretrained`).
template <class Config, class T, class Tokenizer>
requires requires(const Tokenizer& tokenizer, const std::string& folder) { tokenizer.save_pretrained(folder); }
void save_pretrained(const LlamaForCausalLMWithGNN<Config, T>& model, const Tokenizer& tokenizer,
                     const std::string& folder, const SaveOptions& options = {}) {
  save_pretrained(model, folder, options);
  tokenizer.save_pretrained(folder);
}

/// A model whose weights are part of the program: its configuration type has `weights()`, as `weft_add_model(... EMBED)` of
/// CMake writes it.
template <class Config, class T = float>
requires requires { Config::weights(); }
LlamaForCausalLMWithGNN<Config, T> load_embedded() {
  LlamaForCausalLMWithGNN<Config, T> model(Config::llama, Config::gnn, WithoutValues());
  load_parameters(SafetensorsFile(Config::weights(), "the weights in the program"), model);
  return model;
}

/// Reads a model from such a folder. `Dynamic` models take their extents from config.json; where the configuration type
/// knows them, a folder of another shape is refused. Weights are used where the file has them: opening takes no time and no memory
/// until they are touched, and whoever trains them has pages of his own from then on. BF16 weights stay so in memory, half as
/// many bytes, and are widened in the kernels of products and lookups; those that are trained, and the few that other
/// operations read, become floats. The file must not be changed in place; one that is renamed over it, as
/// everything here does, harms nothing.
///
///     auto model = weft::load_pretrained<weft::Dynamic>("path/to/checkpoint");
///
/// \param notes  gets a sentence for each value of config.json that was replaced by another (quirk C3), and for each parameter
///               that stands twice in the file and differs; null: standard error gets them, a line each
template <class Config, class T = float>
LlamaForCausalLMWithGNN<Config, T> load_pretrained(const std::string& folder,
                                                   std::vector<std::string>* notes = nullptr) {
  PretrainedConfig config = read_config(folder + "/config.json");
  detail::give_notes(config.notes, notes);
  if (config.llama.tie_word_embeddings) config.gnn.compatibility.tie_on_construct.reset();  // loading ties (quirk M2)
  validate_config(folder + "/config.json", config);
  if constexpr (!std::is_same_v<Config, Dynamic>) {
    detail::expect_same_attention(folder, config.gnn.use_GNN_from_attention, Config::gnn.use_GNN_from_attention);
  }
  const ModelWeights weights(folder);
  detail::expect_room(folder, weights.tensors(), config);
  LlamaForCausalLMWithGNN<Config, T> model(config.llama, config.gnn, WithoutValues());
  std::vector<std::string> differing;
  detail::load_parameters(weights.tensors(), list_parameters(model), "", true, &differing);
  detail::give_notes(differing, notes);
  model.remainder = {config.other, detail::read_generation_text(folder)};
  return model;
}

}  // namespace weft
