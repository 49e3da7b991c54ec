// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parameters of a model in a safetensors file, under their state_dict names.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "weft/autograd/any_parameter.hpp"
#include "weft/io/safetensors_set.hpp"
#include "weft/io/safetensors_writer.hpp"

namespace weft {

namespace detail {

inline void save_parameters(const std::string& path, std::span<const AnyParameter> parameters) {
  SafetensorsWriter writer(std::map<std::string, std::string>{{"format", "pt"}});
  for (const AnyParameter& parameter : parameters) {
    const ParameterName& name = parameter.name();
    writer.add_parameter(name.name, parameter);
    name.for_each_alias([&](const std::string& alias) { writer.add_parameter(alias, parameter); });
  }
  writer.write(path);
}

/// The names that a file may have for a parameter, the preferred one first.
/// \param tied  whether the model's head is its embedding, which a file may then have under the name of the head
inline std::vector<std::string> names_in_files(const std::string& prefix, const ParameterName& name, bool tied) {
  std::vector<std::string> names{prefix + name.name};
  name.for_each_alias([&](const std::string& alias) { names.push_back(prefix + alias); });
  if (tied && name.name == "model.embed_tokens.weight") names.emplace_back("lm_head.weight");
  return names;
}

/// The name under which a file has a parameter: the first that is there, and the first of all where none is.
inline std::string name_in_file(const SafetensorsSet& files, const std::vector<std::string>& names) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& name) { return files.contains(name); });
  return found != names.end() ? *found : names.front();
}

/// Whether two tensors of a file are one, as far as that can be known quickly: opening a file does not read large ones, of
/// which 64 pieces are compared, the first and the last among them.
inline bool seem_alike(const SafetensorsTensor& a, const SafetensorsTensor& b) {
  constexpr std::size_t pieces = 64;
  constexpr std::size_t most = 4096;
  if (a.dtype != b.dtype || a.bytes.size() != b.bytes.size()) return false;
  const std::size_t size = a.bytes.size();
  if (size <= pieces * most) return std::memcmp(a.bytes.data(), b.bytes.data(), size) == 0;
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::size_t at = (size - most) / (pieces - 1) * i + (i + 1 == pieces ? (size - most) % (pieces - 1) : 0);
    if (std::memcmp(a.bytes.data() + at, b.bytes.data() + at, most) != 0) return false;
  }
  return true;
}

/// A sentence for every name under which the file has something else than under the one that is used.
inline void note_differing_names(const SafetensorsSet& files, const std::vector<std::string>& names,
                                 std::vector<std::string>& notes) {
  const std::string used = name_in_file(files, names);
  for (const std::string& other : names) {
    if (other == used || !files.contains(other) || seem_alike(files.tensor(used), files.tensor(other))) continue;
    notes.push_back(concat(files.path(), ": tensors ", in_quotes(used), " and ", in_quotes(other),
                           " are one parameter of this model, but differ; the first is used"));
  }
}

inline bool has_head(std::span<const AnyParameter> parameters) {
  return std::any_of(parameters.begin(), parameters.end(),
                     [](const AnyParameter& parameter) { return parameter.name().name == "lm_head.weight"; });
}

/// Checks that a parameter is in the file with its shape and an element type that converts.
inline void expect_loadable(const SafetensorsSet& files, const std::string& name, const AnyParameter& parameter) {
  const SafetensorsFile& file = files.file_of(name);
  const SafetensorsTensor& tensor = file.tensor(name);
  if (!same_extents(tensor.shape, parameter.extents())) {
    fail(concat(file.path(), ": tensor ", in_quotes(tensor.name), " must have shape ",
                extents_text(parameter.extents()), ", found ", tensor.type_text()));
  }
  const bool floating =
      tensor.dtype == "F32" || tensor.dtype == "F64" || tensor.dtype == "F16" || tensor.dtype == "BF16";
  if (!floating) {
    fail(concat(file.path(), ": tensor ", in_quotes(tensor.name), " must have elements F32, F64, F16 or BF16, found ",
                tensor.dtype));
  }
}

/// \param in_place  parameters have their elements where the file has them, see SafetensorsFile::map_parameter
/// \param notes     gets a sentence for each parameter that the file has twice, with different values, unless null
inline void load_parameters(const SafetensorsSet& files, std::span<const AnyParameter> parameters,
                            const std::string& prefix, bool in_place = false,
                            std::vector<std::string>* notes = nullptr) {
  const bool tied = !has_head(parameters);
  std::vector<std::string> known;
  for (const AnyParameter& parameter : parameters) {
    const std::vector<std::string> names = names_in_files(prefix, parameter.name(), tied);
    expect_loadable(files, name_in_file(files, names), parameter);
    if (notes != nullptr) note_differing_names(files, names, *notes);
    known.insert(known.end(), names.begin(), names.end());
  }
  for (const SafetensorsFile& file : files.files()) {  // old files hold what is computed from the configuration
    for (const SafetensorsTensor& tensor : file.tensors()) {
      if (tensor.name.ends_with(".rotary_emb.inv_freq")) known.emplace_back(tensor.name);
    }
  }
  if (prefix.empty()) files.expect_no_others(known);
  for (const AnyParameter& parameter : parameters) {
    const std::string name = name_in_file(files, names_in_files(prefix, parameter.name(), tied));
    in_place ? files.map_parameter(parameter, name) : files.load_parameter(parameter, name);
  }
}

}  // namespace detail

/// Writes every parameter of a layer or model, also under the second name that some parameters of the reference carry,
/// so that PyTorch's strict loading finds what it expects. The file is written beside `path` and renamed.
template <class Model>
void save_parameters(const std::string& path, const Model& model) {
  detail::save_parameters(path, list_parameters(model));
}

/// Fills every parameter of a layer or model. Of a parameter with two names either or both may be there; the first wins. The
/// embedding of a tied model may have the name of its head.
/// Raises Error, with the model as it was, when one is missing, has another shape, or when the file holds others.
///
/// \param prefix  in front of every name in the file
template <class Model>
void load_parameters(const SafetensorsSet& files, Model& model, const std::string& prefix = "") {
  detail::load_parameters(files, list_parameters(model), prefix);
}

/// The same from a path.
template <class Model>
void load_parameters(const std::string& path, Model& model) {
  load_parameters(SafetensorsFile(path), model);
}

}  // namespace weft
