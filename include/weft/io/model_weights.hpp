// SPDX-License-Identifier: Apache-2.0
/// \file
/// The weights of a model's folder, in one file or in shards.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/folder.hpp"
#include "weft/io/model_file.hpp"
#include "weft/io/strict_json.hpp"
#include "weft/io/text_file.hpp"

namespace weft {

namespace detail {

inline constexpr std::string_view kWeights = "model.safetensors";
inline constexpr std::string_view kShardIndex = "model.safetensors.index.json";

/// Which shard has which tensor, as `model.safetensors.index.json` says.
using WeightMap = std::map<std::string, std::string>;

inline WeightMap read_weight_map(const std::string& path) {
  const Json json = parse_json(read_text(path), path);
  const Json* entries = json.find("weight_map");
  const auto* members = entries == nullptr ? nullptr : entries->get_if<Json::Object>();
  if (members == nullptr) fail(concat(path, ": an object with an object weight_map is expected"));
  WeightMap map;
  for (const auto& [name, shard] : *members) {
    const auto* file = shard.get_if<std::string>();
    if (file == nullptr || file->empty() || file->front() == '.' || file->find('/') != std::string::npos) {
      fail(concat(path, ": weight_map[", in_quotes(name), "] must be the name of a file beside it, found ",
                  json_excerpt(shard)));
    }
    map.emplace(name, *file);
  }
  return map;
}

inline std::set<std::string> shards_of(const WeightMap& map) {
  std::set<std::string> shards;
  for (const auto& [name, shard] : map) shards.insert(shard);
  return shards;
}

}  // namespace detail

/// `model.safetensors` of a folder, or else the shards that `model.safetensors.index.json` names; mapped into memory.
class ModelWeights {
 public:
  /// Raises Error for files that break a rule of their format, and for an index that does not say of every tensor of every
  /// shard, and of no other, where it is.
  explicit ModelWeights(const std::string& folder) : path_(concat(folder, "/", detail::kWeights)) {
    const std::string index = concat(folder, "/", detail::kShardIndex);
    if (!detail::path_exists(path_) && detail::path_exists(index)) {
      path_ = index;
      read_shards(folder, detail::read_weight_map(index));
    } else {
      files_.emplace_back(path_);
    }
  }

  /// Valid as long as this object.
  SafetensorsSet tensors() const& { return {files_, path_}; }
  SafetensorsSet tensors() && = delete;

 private:
  void read_shards(const std::string& folder, const detail::WeightMap& map) {
    for (const std::string& shard : detail::shards_of(map)) {
      files_.emplace_back(concat(folder, "/", shard));
      for (const SafetensorsTensor& tensor : files_.back().tensors()) {
        const auto entry = map.find(std::string(tensor.name));
        if (entry != map.end() && entry->second == shard) continue;
        fail(concat(path_, ": weight_map must say that tensor ", detail::in_quotes(tensor.name), " is in ",
                    detail::in_quotes(shard), ", found ",
                    entry == map.end() ? std::string("nothing") : detail::in_quotes(entry->second)));
      }
    }
    for (const auto& [name, shard] : map) {
      if (!tensors().contains(name)) {
        fail(concat(path_, ": tensor ", detail::in_quotes(name), " must be in ", detail::in_quotes(shard),
                    ", but is not there"));
      }
    }
  }

  std::string path_;  ///< of the one file, or of the index
  std::vector<SafetensorsFile> files_;
};

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
  return static_cast<std::uint64_t>(parameter.size()) * find_safetensors_dtype(parameter.element())->bits / 8U;
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
