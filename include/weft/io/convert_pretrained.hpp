// SPDX-License-Identifier: Apache-2.0
/// \file
/// A model's folder in another element type, or in files of another size.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/atomic_folder.hpp"
#include "weft/io/convert_elements.hpp"
#include "weft/io/merged_adapter.hpp"
#include "weft/io/save_weights.hpp"

namespace weft {

/// What `convert_pretrained` makes of a folder.
struct ConvertOptions {
  std::string dtype{};                           ///< "F32", "BF16" or "F16"; empty: each tensor keeps its own
  std::uint64_t max_shard_size = 5'000'000'000;  ///< bytes of tensors in one file; one larger tensor has one for itself
  std::string adapter{};                         ///< folder of low-rank adapters that go into the weights; empty: none

  /// Told how many bytes of weights have been written, of how many. What it raises ends the conversion, and nothing is left
  /// of it.
  std::function<void(std::uint64_t done, std::uint64_t total)> on_progress{};
};

/// What `convert_pretrained` has done.
struct ConvertReport {
  std::size_t tensors = 0;            ///< under all of their names
  std::size_t converted = 0;          ///< those that have another element type now
  std::size_t merged = 0;             ///< those that took an adapter in
  std::uint64_t bytes = 0;            ///< of all tensors
  std::size_t files = 0;              ///< with weights
  std::vector<std::string> copied{};  ///< other files, as they are
};

namespace detail {

/// A folder's weights on their way into other files, one piece of a tensor at a time.
class WeightConverter {
 public:
  /// \param adapter  goes into the weights; null: none
  WeightConverter(const SafetensorsSet& source, const ConvertOptions& options, const MergedAdapter* adapter)
      : source_(source), options_(options), adapter_(adapter) {
    for (const SafetensorsFile& file : source.files()) {
      metadata_.insert(file.metadata().begin(), file.metadata().end());
      for (const SafetensorsTensor& tensor : file.tensors()) add(tensor);
    }
    metadata_.emplace("format", "pt");
  }

  /// Writes them as a folder has them; `index` is what another index says beside where tensors are.
  ConvertReport write(const std::string& folder, Json index) {
    report_.files = shards_.size();
    if (shards_.size() == 1) {
      write_file(concat(folder, "/", kWeights), shards_[0]);
      return report_;
    }
    WeightMap map;
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      const std::string name = shard_name("model", i, shards_.size());
      write_file(concat(folder, "/", name), shards_[i]);
      for (const SafetensorsTensor* tensor : shards_[i]) map.emplace(tensor->name, name);
    }
    Json::Object& members = *index.get_if<Json::Object>();
    if (members["metadata"].get_if<Json::Object>() == nullptr) members["metadata"] = Json::Object{};
    (*members["metadata"].get_if<Json::Object>())["total_size"] = report_.bytes;
    members["weight_map"] = Json::Object(map.begin(), map.end());
    write_text(concat(folder, "/", kShardIndex), json_lines(index) + "\n");
    return report_;
  }

 private:
  using Shard = std::vector<const SafetensorsTensor*>;

  std::string_view new_dtype(const SafetensorsTensor& tensor) const {
    return options_.dtype.empty() || !is_floating(tensor.dtype) ? tensor.dtype : std::string_view(options_.dtype);
  }

  bool takes_adapter(const SafetensorsTensor& tensor) const {
    return adapter_ != nullptr && adapter_->changes(tensor.name);
  }

  void add(const SafetensorsTensor& tensor) {
    std::uint64_t bytes = tensor.bytes.size();
    if (takes_adapter(tensor)) ++report_.merged;
    if (new_dtype(tensor) != tensor.dtype) {
      ++report_.converted;
      bytes = bytes * find_safetensors_dtype(new_dtype(tensor))->bits / find_safetensors_dtype(tensor.dtype)->bits;
    }
    if (shard_bytes_ > 0 && shard_bytes_ + bytes > options_.max_shard_size) {
      shards_.emplace_back();
      shard_bytes_ = 0;
    }
    shards_.back().push_back(&tensor);
    shard_bytes_ += bytes;
    report_.bytes += bytes;
    ++report_.tensors;
  }

  void write_file(const std::string& path, const Shard& shard) {
    SafetensorsWriter writer(metadata_);
    for (const SafetensorsTensor* tensor : shard) {
      writer.add_computed(
          std::string(tensor->name), new_dtype(*tensor), {tensor->shape.begin(), tensor->shape.end()},
          [this, tensor](std::size_t offset, std::span<std::byte> bytes) { fill(*tensor, offset, bytes); });
    }
    writer.write(path);
  }

  void fill(const SafetensorsTensor& tensor, std::size_t offset, std::span<std::byte> bytes) {
    const std::string_view dtype = new_dtype(tensor);
    const bool same = dtype == tensor.dtype && !takes_adapter(tensor);
    const std::size_t before = same ? 1 : find_safetensors_dtype(tensor.dtype)->bits / 8U;
    const std::size_t now = same ? 1 : find_safetensors_dtype(dtype)->bits / 8U;
    const auto source = tensor.bytes.subspan(offset / now * before, bytes.size() / now * before);
    if (same) {
      std::memcpy(bytes.data(), source.data(), bytes.size());
    } else if (!(takes_adapter(tensor) ? merge(tensor, offset / now, source, bytes)
                                       : convert_nearest(tensor.dtype, dtype, source.data(), bytes))) {
      fail(concat(source_.path(), ": tensor ", in_quotes(tensor.name), " has an element beyond the largest of ", dtype,
                  "; BF16 and F32 reach further"));
    }
    release_pages(source);
    done_ += bytes.size();
    if (options_.on_progress) options_.on_progress(done_, report_.bytes);
  }

  /// The sum is rounded to the new type once. False where an element became infinite there.
  bool merge(const SafetensorsTensor& tensor, std::size_t first, std::span<const std::byte> source,
             std::span<std::byte> bytes) {
    wide_.resize(source.size() * 8U / find_safetensors_dtype(tensor.dtype)->bits);
    convert_nearest(tensor.dtype, "F32", source.data(), std::as_writable_bytes(std::span(wide_)));
    const auto all_finite = [&] {
      return std::all_of(wide_.begin(), wide_.end(), [](float x) { return std::isfinite(x); });
    };
    const bool was_finite = all_finite();
    adapter_->add_to(tensor.name, first, wide_);
    if (was_finite && !all_finite()) {
      fail(concat(source_.path(), ": tensor ", in_quotes(tensor.name), " is not finite with its adapter of ",
                  options_.adapter));
    }
    return convert_nearest("F32", new_dtype(tensor), std::as_bytes(std::span(wide_)).data(), bytes);
  }

  const SafetensorsSet source_;
  const ConvertOptions& options_;
  const MergedAdapter* adapter_;
  std::vector<float> wide_;  ///< a piece of a tensor that takes an adapter in
  std::map<std::string, std::string> metadata_;
  std::vector<Shard> shards_{1};
  std::uint64_t shard_bytes_ = 0;
  std::uint64_t done_ = 0;
  ConvertReport report_;
};

/// config.json with the name of the weights' element type; everything else as it is.
inline std::string config_with_dtype(const std::string& path, std::string_view dtype) {
  std::string text = read_text(path);
  Json json = parse_json(text, path);
  auto* members = json.get_if<Json::Object>();
  if (members == nullptr) fail(concat(path, ": an object is expected, found ", json_excerpt(json)));
  if (dtype.empty()) return text;
  set_dtype(*members, dtype);
  return json_lines(json) + "\n";
}

/// Whether a config.json, which is JSON, takes the embedding for lm_head.
inline bool ties_embeddings(std::string_view config) {
  const Json json = parse_json(config, "config.json");
  const Json* const tie = json.find("tie_word_embeddings");
  return tie != nullptr && *tie == Json(true);
}

/// What another index says, empty where the folder has none.
inline Json read_index(const std::string& folder) {
  const std::string path = concat(folder, "/", kShardIndex);
  return path_exists(path) && !path_exists(concat(folder, "/", kWeights)) ? parse_json(read_text(path), path)
                                                                          : Json(Json::Object{});
}

/// Whether a file of a model's folder goes with the weights: tokenizer, generation_config.json, licence; not weights in any
/// format or adapters, and nothing of training runs.
inline bool goes_with_weights(const std::string& name) {
  for (const char* other : {"config.json", "adapter_config.json", "run.json"}) {
    if (name == other) return false;
  }
  if (name.starts_with('.')) return false;
  for (const char* ending : {".safetensors", ".index.json", ".bin", ".pt", ".pth", ".h5", ".msgpack", ".gguf", ".onnx",
                             ".jsonl", ".partial"}) {
    if (name.ends_with(ending)) return false;
  }
  return true;
}

}  // namespace detail

/// Writes a model's folder anew, with its weights in another element type or in files of another size, or with adapters merged
/// into them, each tensor under the name that it has. Elements are rounded to the nearest, ties to even; tensors of whole
/// numbers stay as they are. config.json gets the new type, and keeps every field that it has; what else belongs to the model
/// is copied. One piece of a tensor at a time is in memory, and the adapters, as floats.
///
///     weft::convert_pretrained("llama", "llama-bf16", {.dtype = "BF16"});
///
/// Raises Error, with nothing written, where `output` exists already (unless it is an empty folder) or lies in the model's
/// folder, where an element is beyond the largest of its new type, and for adapters of another model. Until the end the new
/// folder is called `<output>.partial-` and the number of the process, which leaves it behind when it is killed.
inline ConvertReport convert_pretrained(const std::string& folder, const std::string& output,
                                        const ConvertOptions& options = {}) {
  const std::array<std::string_view, 4> dtypes{"", "F32", "BF16", "F16"};
  if (std::find(dtypes.begin(), dtypes.end(), options.dtype) == dtypes.end()) {
    fail(concat("convert_pretrained: the element type must be F32, BF16 or F16, found ",
                detail::in_quotes(options.dtype)));
  }
  if (options.max_shard_size == 0) fail("convert_pretrained: max_shard_size must be positive, found 0");
  if (detail::is_within(output, folder)) fail(concat("cannot write ", output, ": it must be outside of ", folder));
  const std::string config = detail::config_with_dtype(folder + "/config.json", options.dtype);
  const ModelWeights weights(folder);
  std::optional<detail::MergedAdapter> adapter;
  if (!options.adapter.empty()) {
    adapter.emplace(options.adapter, weights.tensors(), detail::ties_embeddings(config));
  }
  detail::AtomicFolder target(output);
  ConvertReport report = detail::WeightConverter(weights.tensors(), options, adapter ? &*adapter : nullptr)
                             .write(target.path(), detail::read_index(folder));
  write_text(target.path() + "/config.json", config);
  for (const std::string& name : detail::names_in_folder(folder)) {
    const std::string path = concat(folder, "/", name);
    if (!detail::goes_with_weights(name)) continue;
    if (!detail::is_file(path) && !detail::is_dangling_link(path)) continue;  // reading the link says what is missing
    write_text(concat(target.path(), "/", name), read_text(path));
    report.copied.push_back(name);
  }
  std::sort(report.copied.begin(), report.copied.end());
  target.commit();
  return report;
}

}  // namespace weft
