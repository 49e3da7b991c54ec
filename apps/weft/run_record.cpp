// SPDX-License-Identifier: Apache-2.0
#include "apps/weft/run_record.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "weft/io/folder.hpp"
#include "weft/io/json_text.hpp"
#include "weft/io/model_weights.hpp"
#include "weft/io/strict_json.hpp"
#include "weft/io/text_file.hpp"

#include "apps/weft/command.hpp"

namespace apps {

namespace {

using weft::detail::Json;

std::string path_of(const std::string& folder) { return folder + "/run.json"; }

template <class Value>
Value member(const Json& json, const std::string& path, const char* name, const char* what) {
  const Json* const found = json.find(name);
  const auto* const value = found != nullptr ? found->get_if<Value>() : nullptr;
  if (value == nullptr) weft::fail(weft::concat(path, ": ", name, " must be ", what));
  return *value;
}

/// A member that older files do not have.
template <class Value>
std::optional<Value> later_member(const Json& json, const std::string& path, const char* name, const char* what) {
  if (json.find(name) == nullptr) return std::nullopt;
  return member<Value>(json, path, name, what);
}

/// Of eight bytes at a time where there are so many.
class Digest {
 public:
  void add(std::span<const std::byte> bytes) {
    for (; bytes.size() >= sizeof(std::uint64_t); bytes = bytes.subspan(sizeof(std::uint64_t))) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), sizeof word);
      take(word);
    }
    for (const std::byte byte : bytes) take(static_cast<std::uint64_t>(byte));
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }

  std::uint64_t value() const { return value_; }

 private:
  void take(std::uint64_t word) { value_ = std::rotl((value_ ^ word) * 0x9E3779B97F4A7C15U, 29); }

  std::uint64_t value_ = 0;
};

bool same_folder(const std::string& one, const std::string& other) {
  std::error_code error;
  return std::filesystem::equivalent(one, other, error) && !error;
}

/// A model has another place, or another one is meant.
void expect_same_weights(const RunRecord& record, const std::string& given, const std::string& output) {
  if (!record.weights) {
    return print_notes({weft::concat(output, ": the record of this older run does not say which weights ", record.model,
                                     " had; whether ", given, " has them is not checked")});
  }
  if (weights_digest(given) == *record.weights) return;
  weft::fail(weft::concat(output, ": this run has the model ", record.model, ", found ", given,
                          ", which has other weights; without MODEL the run goes on with its own"));
}

}  // namespace

RunRecord read_run_record(const std::string& folder) {
  const std::string path = path_of(folder);
  const Json json = weft::detail::parse_json(weft::read_text(path), path);
  RunRecord record{member<double>(json, path, "validation", "a number with a point"),
                   member<std::string>(json, path, "model", "a text"),
                   member<std::string>(json, path, "method", "a text"),
                   later_member<std::string>(json, path, "folder", "a text").value_or(""),
                   later_member<std::uint64_t>(json, path, "weights", "a whole number"),
                   later_member<std::string>(json, path, "targets", "a text").value_or("")};
  if (!(record.validation >= 0 && record.validation <= 0.9)) {
    weft::fail(weft::concat(path, ": validation must be from 0 to 0.9, found ", record.validation));
  }
  return record;
}

void write_run_record(const RunRecord& record, const std::string& folder) {
  Json::Object json{{"method", record.method}, {"model", record.model}, {"validation", record.validation}};
  if (!record.folder.empty()) json["folder"] = record.folder;
  if (record.weights) json["weights"] = *record.weights;
  if (!record.targets.empty()) json["targets"] = record.targets;
  weft::write_text(path_of(folder), weft::detail::json_text(json));
}

std::string absolute_path(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

std::uint64_t weights_digest(const std::string& folder) {
  const weft::ModelWeights weights(folder);
  std::vector<const weft::SafetensorsTensor*> tensors;
  for (const weft::SafetensorsFile& file : weights.tensors().files()) {
    for (const weft::SafetensorsTensor& tensor : file.tensors()) tensors.push_back(&tensor);
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto* one, const auto* other) { return one->name < other->name; });
  Digest digest;
  for (const weft::SafetensorsTensor* tensor : tensors) {
    digest.add(tensor->name);
    digest.add(tensor->type_text());
    digest.add(tensor->bytes);
  }
  return digest.value();
}

void find_model(RunRecord& record, const std::string& given, const std::string& output) {
  const auto is_there = [](const std::string& folder) { return weft::detail::path_exists(folder + "/config.json"); };
  const std::string stored = record.folder.empty() ? record.model : record.folder;
  if (!given.empty()) {
    if (!same_folder(given, stored)) expect_same_weights(record, given, output);
    record.model = given;
  } else if (!same_folder(record.model, stored)) {
    record.model = stored;
  }
  if (!is_there(record.model)) {
    weft::fail(weft::concat(output, ": there is no model ", record.model,
                            ", which this run has begun with; give the folder where it is now as MODEL"));
  }
  record.folder = absolute_path(record.model);
}

}  // namespace apps
