// SPDX-License-Identifier: Apache-2.0
/// \file
/// The weights of a model's folder, in one file or in shards.
#pragma once

#include <algorithm>
#include <map>
#include <set>
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

/// Of a folder without weights that are read here, what it has instead.
[[noreturn]] inline void fail_on_missing_weights(const std::string& folder) {
  std::vector<std::string> others;
  for (std::string& name : names_in_folder(folder)) {
    const std::string_view end = std::string_view(name).substr(std::min(name.rfind('.'), name.size()));
    const bool weights = end == ".safetensors" || end == ".pth" || end == ".pt" || end == ".gguf" ||
                         (end == ".bin" && name.starts_with("pytorch_model"));
    if (weights) others.push_back(std::move(name));
  }
  std::sort(others.begin(), others.end());
  std::string found;
  for (const std::string& name : others) found += concat(found.empty() ? "" : ", ", name);
  fail(concat(folder, ": ", kWeights, ", or ", kShardIndex, " with its shards, is expected; of weights, found ",
              found.empty() ? "nothing" : found));
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
    if (detail::path_exists(path_)) {
      files_.emplace_back(path_);
    } else if (detail::path_exists(index)) {
      path_ = index;
      read_shards(folder, detail::read_weight_map(index));
    } else {
      detail::fail_on_missing_weights(folder);
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

}  // namespace weft
