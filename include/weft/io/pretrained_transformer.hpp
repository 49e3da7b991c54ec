// SPDX-License-Identifier: Apache-2.0
/// \file
/// Starts a graph-aware model from a plain Llama: load_model_with_pretrained_transformer of the reference (utils.py).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/model_weights.hpp"
#include "weft/models/compatibility.hpp"

namespace weft {

/// What `load_pretrained_transformer` did.
struct TransferReport {
  std::vector<std::string> copied;        ///< in the order of the model's state dict
  std::vector<std::string> not_in_file;   ///< parameters that keep their values: not there, or none of a plain Llama's
  std::vector<std::string> not_in_model;  ///< tensors of the file that have no place
};

namespace detail {

/// The parameters that the reference copies, after `model.layers.{l}.`.
inline constexpr std::array<std::string_view, 9> transformer_weights{
    "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight",
    "self_attn.o_proj.weight", "mlp.gate_proj.weight",    "mlp.up_proj.weight",
    "mlp.down_proj.weight",    "input_layernorm.weight",  "post_attention_layernorm.weight"};

/// The names of all parameters that the reference copies into a model of so many layers.
inline std::vector<std::string> names_of_transformer(Index layers) {
  std::vector<std::string> names{"model.embed_tokens.weight"};
  for (Index l = 0; l < layers; ++l) {
    for (const std::string_view name : transformer_weights) names.push_back(concat("model.layers.", l, ".", name));
  }
  names.emplace_back("model.norm.weight");
  names.emplace_back("lm_head.weight");
  return names;
}

/// A tied model's file has no head of its own: it is the embedding, or the embedding is the head.
inline std::string source_name(const SafetensorsSet& files, const ParameterName& name) {
  std::vector<std::string> names = names_in_files("", name, true);
  if (name.name == "lm_head.weight") names.emplace_back("model.embed_tokens.weight");
  return name_in_file(files, names);
}

/// In place, but for what stands under another name, such as a head that is the embedding of the file: two parameters must not
/// share their memory.
inline void transfer(const SafetensorsSet& files, const AnyParameter& parameter) {
  const std::string source = source_name(files, parameter.name());
  source == parameter.name().name ? files.map_parameter(parameter, source) : files.load_parameter(parameter, source);
}

inline bool is_among(const std::string& name, const std::vector<std::string>& names) {
  for (const std::string& one : names) {
    if (one == name) return true;
  }
  return false;
}

/// Whether this is the bias of one of the weights. The reference leaves biases behind, so that a model that has them computes
/// something else than its base (quirk U5); here they are copied where file and model have them.
inline bool is_bias_of(const std::string& name, const std::vector<std::string>& weights) {
  constexpr std::string_view end = ".bias";
  return name.ends_with(end) && is_among(name.substr(0, name.size() - end.size()) + ".weight", weights);
}

inline void expect_all_of_transformer(const SafetensorsSet& files, std::span<const AnyParameter> parameters,
                                      const std::vector<std::string>& names) {
  std::vector<std::string> present{"lm_head.weight"};
  for (const AnyParameter& parameter : parameters) present.push_back(parameter.name().name);
  for (const std::string& name : names) {
    if (is_among(name, present)) continue;
    fail(
        concat(files.path(), ": the model has no ", name,
               ", which a plain Llama has (quirk U4: only attention with q, k, v and o, and the standard MLP, take all "
               "of it); Semantics::intended copies what exists and reports the rest"));
  }
}

inline TransferReport load_transformer(const SafetensorsSet& files, std::span<const AnyParameter> parameters,
                                       Index layers, Semantics semantics) {
  const std::vector<std::string> wanted = names_of_transformer(layers);
  const bool everything = semantics == Semantics::intended;
  if (!everything) expect_all_of_transformer(files, parameters, wanted);
  TransferReport report;
  std::vector<const AnyParameter*> chosen;
  for (const AnyParameter& parameter : parameters) {
    const std::string& name = parameter.name().name;
    const std::string source = source_name(files, parameter.name());
    const bool required = !everything && is_among(name, wanted);
    const bool optional = files.contains(source) && (everything || is_bias_of(name, wanted));
    if (!required && !optional) {
      report.not_in_file.push_back(name);
      continue;
    }
    expect_loadable(files, source, parameter);
    report.copied.push_back(name);
    chosen.push_back(&parameter);
  }
  for (const AnyParameter* parameter : chosen) transfer(files, *parameter);
  for (const SafetensorsFile& file : files.files()) {
    for (const std::string& name : file.names()) {
      if (!is_among(name, report.copied)) report.not_in_model.push_back(name);
    }
  }
  return report;
}

}  // namespace detail

/// Gives a model the weights of a plain Llama of the same extents (a safetensors file with Hugging Face's names, or a folder
/// as `load_pretrained` reads); the parameters of its graph network keep their values. Weights are used where the file has
/// them, and bf16 ones that are frozen stay so, as with `load_pretrained`: the file must not be changed in place. Raises
/// Error, with the model as it was, when a weight is missing or has another shape.
///
///     Model model(llama, gnn, rng);
///     load_pretrained_transformer("llama/model.safetensors", model);
///     freeze_except_select(model, graph_keywords);
///
/// \param semantics  `reference`: embedding, norms, the four projections of attention, the three of the MLP and the head, and
///                   biases of these that both have (quirk U5); a model without one of the weights is refused (U4).
///                   `intended`: whatever has a place.
/// \return           what was copied and what was not: the check that the reference announces but does not make (U7)
template <class Model>
TransferReport load_pretrained_transformer(const std::string& path, Model& model,
                                           Semantics semantics = Semantics::reference) {
  const auto load = [&](const SafetensorsSet& files) {
    return detail::load_transformer(files, list_parameters(model), model.model.layers.size(), semantics);
  };
  if (!detail::is_folder(path)) return load(SafetensorsFile(path));
  const ModelWeights weights(path);
  return load(weights.tensors());
}

}  // namespace weft
