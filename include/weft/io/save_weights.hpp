// SPDX-License-Identifier: Apache-2.0
/// \file
/// Writes the weights of a model's folder, in one file or in shards.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/model_weights.hpp"

namespace weft {

/// How weights are written.
struct SaveOptions {
  std::uint64_t max_shard_size = 5'000'000'000;  ///< bytes of tensors in one file; one larger tensor has one for itself
};

namespace detail {

/// A tensor to be written: a parameter under one of its names.
struct NamedParameter {
  std::string name;
  const AnyParameter* parameter;
};

inline std::uint64_t bytes_of(const AnyParameter& parameter) {
  return static_cast<std::uint64_t>(parameter.size()) * find_safetensors_dtype(stored_dtype(parameter))->bits / 8U;
}

/// The element type that a model's config.json names: bf16 if that is what all parameters have, or else that of the model, which
/// holds every value.
inline std::string_view common_dtype(std::span<const AnyParameter> parameters) {
  for (const AnyParameter& parameter : parameters) {
    if (parameter.bf16_data() == nullptr) return parameter.element();
  }
  return parameters.empty() ? element_name<float> : element_name<bf16>;
}

/// As PyTorch calls an element type of weights; empty for others.
inline std::string_view torch_name(std::string_view dtype) {
  if (dtype == "BF16") return "bfloat16";
  return dtype == "F32" ? "float32" : dtype == "F64" ? "float64" : dtype == "F16" ? "float16" : "";
}

/// Lets a config.json name this element type, by each name that it has for it; newer ones say `dtype`.
inline void set_dtype(Json::Object& config, std::string_view dtype) {
  const bool newer = config.contains("dtype");
  if (newer) config["dtype"] = torch_name(dtype);
  if (!newer || config.contains("torch_dtype")) config["torch_dtype"] = torch_name(dtype);
}

/// Every name of every parameter, in files of at most `max_shard_size`.
inline std::vector<std::vector<NamedParameter>> divide_into_shards(std::span<const AnyParameter> parameters,
                                                                   std::uint64_t max_shard_size) {
  std::vector<std::vector<NamedParameter>> shards(1);
  std::uint64_t size = 0;
  const auto add = [&](const std::string& name, const AnyParameter& parameter) {
    if (size > 0 && size + bytes_of(parameter) > max_shard_size) {
      shards.emplace_back();
      size = 0;
    }
    size += bytes_of(parameter);
    shards.back().push_back({name, &parameter});
  };
  for (const AnyParameter& parameter : parameters) {
    add(parameter.name().name, parameter);
    parameter.name().for_each_alias([&](const std::string& alias) { add(alias, parameter); });
  }
  return shards;
}

inline void write_shard(const std::string& path, std::span<const NamedParameter> shard) {
  SafetensorsWriter writer(std::map<std::string, std::string>{{"format", "pt"}});
  for (const NamedParameter& tensor : shard) writer.add_parameter(tensor.name, *tensor.parameter);
  writer.write(path);
}

/// "model-00001-of-00003.safetensors"
inline std::string shard_name(std::string_view stem, std::size_t shard, std::size_t count) {
  const auto digits = [](std::size_t number) {
    const std::string text = std::to_string(number);
    return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
  };
  return concat(stem, "-", digits(shard + 1), "-of-", digits(count), ".safetensors");
}

inline std::string shard_index_text(const WeightMap& map, std::uint64_t total_size) {
  return json_lines(Json::Object{{"metadata", Json::Object{{"total_size", total_size}}},
                                 {"weight_map", Json::Object(map.begin(), map.end())}}) +
         "\n";
}

/// Whether a file is one that `shard_name` names.
inline bool is_shard_name(std::string_view name) {
  const auto skip_digits = [&] {
    const std::size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
    name.remove_prefix(digits);
    return digits >= 5;
  };
  const auto skip = [&](std::string_view text) {
    const bool there = name.starts_with(text);
    if (there) name.remove_prefix(text.size());
    return there;
  };
  return (skip("model-") || skip("weights-")) && skip_digits() && skip("-of-") && skip_digits() &&
         name == ".safetensors";
}

inline std::set<std::string> shards_in_folder(const std::string& folder) {
  std::set<std::string> shards;
  for (const std::string& name : names_in_folder(folder)) {
    if (is_shard_name(name)) shards.insert(name);
  }
  return shards;
}

/// The names of new shards: others than those of the old model, which must not change while the old index stands.
inline std::vector<std::string> new_shard_names(const std::set<std::string>& old_shards, std::size_t count) {
  std::vector<std::string> names;
  for (const char* stem : {"model", "weights"}) {
    names.clear();
    for (std::size_t i = 0; i < count; ++i) names.push_back(shard_name(stem, i, count));
    if (std::none_of(names.begin(), names.end(), [&](const auto& name) { return old_shards.contains(name); })) break;
  }
  return names;
}

/// A reader finds the old model until the last step, and then the new one: `model.safetensors` comes before an index, so it is
/// written last, or removed last. What is left of other shards goes afterwards.
inline void save_weights(const std::string& folder, std::span<const AnyParameter> parameters,
                         const SaveOptions& options) {
  const std::string whole = concat(folder, "/", kWeights);
  const std::string index = concat(folder, "/", kShardIndex);
  const std::set<std::string> old_shards = shards_in_folder(folder);
  const auto shards = divide_into_shards(parameters, options.max_shard_size);
  std::vector<std::string> names;
  if (shards.size() == 1) {
    write_shard(whole, shards[0]);
    remove_file(index);
  } else {
    names = new_shard_names(old_shards, shards.size());
    WeightMap map;
    std::uint64_t total_size = 0;
    for (std::size_t i = 0; i < shards.size(); ++i) {
      write_shard(concat(folder, "/", names[i]), shards[i]);
      for (const NamedParameter& tensor : shards[i]) {
        map.emplace(tensor.name, names[i]);
        total_size += bytes_of(*tensor.parameter);
      }
    }
    write_text(index, shard_index_text(map, total_size));
    remove_file(whole);
  }
  for (const std::string& shard : old_shards) {
    if (std::find(names.begin(), names.end(), shard) == names.end()) remove_file(concat(folder, "/", shard));
  }
}

}  // namespace detail
}  // namespace weft
