// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parameters of a model in a safetensors file, under their state_dict names.
#pragma once

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

/// The name under which a file has a parameter: the first, or else another if that is there.
inline std::string name_in_file(const SafetensorsSet& files, const std::string& prefix, const ParameterName& name) {
  std::string found = prefix + name.name;
  name.for_each_alias([&](const std::string& alias) {
    if (!files.contains(found) && files.contains(prefix + alias)) found = prefix + alias;
  });
  return found;
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
inline void load_parameters(const SafetensorsSet& files, std::span<const AnyParameter> parameters,
                            const std::string& prefix, bool in_place = false) {
  std::vector<std::string> known{"lm_head.weight"};  // of a tied model: a copy of the embedding, allowed and not used
  for (const AnyParameter& parameter : parameters) {
    const ParameterName& name = parameter.name();
    expect_loadable(files, name_in_file(files, prefix, name), parameter);
    known.push_back(prefix + name.name);
    name.for_each_alias([&](const std::string& alias) { known.push_back(prefix + alias); });
  }
  for (const SafetensorsFile& file : files.files()) {  // old files hold what is computed from the configuration
    for (const SafetensorsTensor& tensor : file.tensors()) {
      if (tensor.name.ends_with(".rotary_emb.inv_freq")) known.emplace_back(tensor.name);
    }
  }
  if (prefix.empty()) files.expect_no_others(known);
  for (const AnyParameter& parameter : parameters) {
    const std::string name = name_in_file(files, prefix, parameter.name());
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

/// Fills every parameter of a layer or model. Of a parameter with two names either or both may be there; the first wins.
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
