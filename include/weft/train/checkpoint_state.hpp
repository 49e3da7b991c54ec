// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where a training run stands, beside its tensors: the JSON part of a checkpoint.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "weft/io/json_value.hpp"
#include "weft/tensor/error.hpp"
#include "weft/tensor/rng.hpp"
#include "weft/train/dataset.hpp"

namespace weft {

/// Which text a run is trained on, so that another is noticed.
struct DataIdentity {
  std::uint64_t tokens = 0;
  std::uint64_t block_size = 0;
  std::uint64_t training_blocks = 0;
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;  ///< FNV-1a over the token ids, four bytes at a time

  bool operator==(const DataIdentity&) const = default;

  static DataIdentity of(const TokenDataset& data) {
    DataIdentity identity;
    identity.tokens = data.tokens().size();
    identity.block_size = static_cast<std::uint64_t>(data.block_size());
    identity.training_blocks = static_cast<std::uint64_t>(data.training_blocks());
    identity.seed = data.options().seed;
    identity.hash = 0xCBF29CE484222325U;
    for (const std::int32_t token : data.tokens()) {
      identity.hash = (identity.hash ^ static_cast<std::uint32_t>(token)) * 0x100000001B3U;
    }
    return identity;
  }

  std::string text() const {
    return concat(tokens, " tokens (hash ", hash, "), ", training_blocks, " training blocks of ", block_size, ", seed ",
                  seed);
  }
};

/// Everything of a training run that is no tensor.
struct CheckpointState {
  static constexpr std::uint64_t current_version = 1;

  detail::JsonValue model;  ///< the model's configuration as in `config.json`, null for a model without one
  std::uint64_t step = 0;
  Rng::State dropout{};
  std::uint64_t data_position = 0;
  DataIdentity data{};
  std::map<std::string, std::uint64_t> optimizer_steps{};  ///< by parameter
};

namespace detail {

inline JsonValue natural_json(std::uint64_t number) { return {JsonKind::number, std::to_string(number)}; }

inline std::string checkpoint_state_text(const CheckpointState& state) {
  JsonValue dropout = JsonValue::object();
  dropout.set("seed", natural_json(state.dropout.seed));
  dropout.set("stream", natural_json(state.dropout.stream));
  JsonValue data = JsonValue::object();
  data.set("tokens", natural_json(state.data.tokens));
  data.set("block_size", natural_json(state.data.block_size));
  data.set("training_blocks", natural_json(state.data.training_blocks));
  data.set("seed", natural_json(state.data.seed));
  data.set("hash", natural_json(state.data.hash));
  data.set("position", natural_json(state.data_position));
  JsonValue steps = JsonValue::object();
  for (const auto& [name, count] : state.optimizer_steps) steps.set(name, natural_json(count));

  JsonValue json = JsonValue::object();
  json.set("version", natural_json(CheckpointState::current_version));
  json.set("model", state.model);
  json.set("step", natural_json(state.step));
  json.set("dropout", std::move(dropout));
  json.set("data", std::move(data));
  json.set("optimizer_steps", std::move(steps));
  return json.dump();
}

/// The members of a JSON object of a checkpoint, refused when they are missing or of another type.
class CheckpointFields {
 public:
  /// \param where  the file, for messages
  /// \param name   of the object, for messages
  CheckpointFields(JsonValue json, std::string where, std::string name)
      : json_(std::move(json)), where_(std::move(where)), name_(std::move(name)) {
    if (!json_.is(JsonKind::object)) refuse("", "an object", json_kind_text(json_.kind));
  }

  const std::vector<std::string>& keys() const { return json_.keys; }

  const JsonValue& any(const std::string& key) {
    const JsonValue* found = json_.find(key);
    if (found == nullptr) refuse("." + key, "there", "nothing");
    return *found;
  }
  CheckpointFields object(const std::string& key) { return {any(key), where_, name_ + "." + key}; }

  /// At most `largest`, 2^63 - 1 unless something else is said: what an `Index` can hold.
  std::uint64_t natural(const std::string& key, std::uint64_t largest = ~std::uint64_t{0} >> 1U) {
    const JsonValue& value = any(key);
    std::uint64_t number = 0;
    const char* const end = value.text.data() + value.text.size();
    const auto [parsed_end, error] = std::from_chars(value.text.data(), end, number);
    if (!value.is(JsonKind::number) || error != std::errc() || parsed_end != end || number > largest) {
      refuse("." + key, concat("a whole number from 0 to ", largest), json_excerpt(value));
    }
    return number;
  }
  std::uint64_t any_natural(const std::string& key) { return natural(key, ~std::uint64_t{0}); }

 private:
  [[noreturn]] void refuse(const std::string& member, std::string_view expected, std::string_view found) const {
    fail(concat(where_, ": ", name_, member, " must be ", expected, ", found ", found));
  }

  JsonValue json_;
  std::string where_;
  std::string name_;
};

/// \param where  the file, for messages
inline CheckpointState parse_checkpoint_state(std::string_view text, const std::string& where) {
  CheckpointFields json(parse_json(text, where), where, "checkpoint");
  const std::uint64_t version = json.any_natural("version");
  if (version != CheckpointState::current_version) {
    fail(concat(where, ": checkpoint.version must be ", CheckpointState::current_version, ", found ", version));
  }
  CheckpointState state;
  state.model = json.any("model");
  state.step = json.natural("step");
  CheckpointFields dropout = json.object("dropout");
  state.dropout = {dropout.any_natural("seed"), dropout.any_natural("stream")};
  CheckpointFields data = json.object("data");
  state.data = {data.natural("tokens"), data.natural("block_size"), data.natural("training_blocks"),
                data.any_natural("seed"), data.any_natural("hash")};
  state.data_position = data.natural("position");
  CheckpointFields steps = json.object("optimizer_steps");
  for (const std::string& name : steps.keys()) state.optimizer_steps[name] = steps.natural(name);
  return state;
}

/// Refuses another configuration, naming the first field that differs.
inline void expect_same_config(const JsonValue& expected, JsonValue found, const std::string& where,
                               const std::string& name) {
  const auto refuse = [&](const std::string& field, const std::string& wanted, const std::string& other) {
    fail(concat(where, ": ", field, " must be ", wanted, ", found ", other));
  };
  if (!expected.is(JsonKind::object) || !found.is(JsonKind::object)) {
    if (expected.dump() != found.dump()) refuse(name, json_excerpt(expected), json_excerpt(found));
    return;
  }
  for (std::size_t i = 0; i < expected.keys.size(); ++i) {
    const std::string field = name + "." + expected.keys[i];
    if (found.find(expected.keys[i]) == nullptr) refuse(field, json_excerpt(expected.values[i]), "nothing");
    expect_same_config(expected.values[i], found.take(expected.keys[i]), where, field);
  }
  if (!found.keys.empty()) refuse(name + "." + found.keys[0], "absent", json_excerpt(found.values[0]));
}

}  // namespace detail
}  // namespace weft
