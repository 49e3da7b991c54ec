// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where a training run stands, beside its tensors: the JSON part of a checkpoint.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/io/strict_json.hpp"
#include "weft/tensor/error.hpp"
#include "weft/tensor/rng.hpp"
#include "weft/train/dataset.hpp"
#include "weft/train/training_options.hpp"

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
  static constexpr std::uint64_t current_version = 2;

  detail::Json model;  ///< the model's configuration as in `config.json`, null for a model without one
  std::uint64_t step = 0;
  Rng::State dropout{};
  std::uint64_t data_position = 0;
  DataIdentity data{};
  TrainingOptions training{};                              ///< without those of evaluations, which are the defaults
  std::map<std::string, std::uint64_t> optimizer_steps{};  ///< by parameter
};

namespace detail {

/// The options that decide the weights, under their names.
inline Json::Object training_json(const TrainingOptions& options) {
  Json::Object json;
  visit_training_options(options, [&](const char* name, const auto& option) {
    if constexpr (std::is_enum_v<std::remove_cvref_t<decltype(option)>>) {
      json[name] = name_of(option);
    } else {
      json[name] = option;
    }
  });
  return json;
}

inline std::string checkpoint_state_text(const CheckpointState& state) {
  Json::Object json;
  json["version"] = CheckpointState::current_version;
  json["model"] = state.model;
  json["step"] = state.step;
  json["dropout"] = Json::Object{{"seed", state.dropout.seed}, {"stream", state.dropout.stream}};
  json["data"] = Json::Object{{"tokens", state.data.tokens},
                              {"block_size", state.data.block_size},
                              {"training_blocks", state.data.training_blocks},
                              {"seed", state.data.seed},
                              {"hash", state.data.hash},
                              {"position", state.data_position}};
  json["training"] = training_json(state.training);
  json["optimizer_steps"] = Json::Object(state.optimizer_steps.begin(), state.optimizer_steps.end());
  return json_text(json);
}

/// The members of a JSON object of a checkpoint, refused when they are missing or of another type.
class CheckpointFields {
 public:
  /// \param json   must live as long as this
  /// \param where  the file, for messages
  /// \param name   of the object, for messages
  CheckpointFields(const Json& json, std::string where, std::string name)
      : members_(json.get_if<Json::Object>()), where_(std::move(where)), name_(std::move(name)) {
    if (members_ == nullptr) refuse("", "an object", json_excerpt(json));
  }

  const Json& any(const std::string& key) const {
    const auto found = members_->find(key);
    if (found == members_->end()) refuse("." + key, "there", "nothing");
    return found->second;
  }
  CheckpointFields object(const std::string& key) const { return {any(key), where_, name_ + "." + key}; }

  /// At most `largest`, 2^63 - 1 unless something else is said: what an `Index` can hold.
  std::uint64_t natural(const std::string& key, std::uint64_t largest = ~std::uint64_t{0} >> 1U) const {
    const Json& value = any(key);
    const auto* number = value.get_if<std::uint64_t>();
    if (number == nullptr || *number > largest) {
      refuse("." + key, concat("a whole number from 0 to ", largest), json_excerpt(value));
    }
    return *number;
  }
  std::uint64_t any_natural(const std::string& key) const { return natural(key, ~std::uint64_t{0}); }

  /// Null is infinity, which JSON has no number for.
  double real(const std::string& key) const {
    const Json& value = any(key);
    if (value.is_null()) return std::numeric_limits<double>::infinity();
    const auto* number = value.get_if<double>();
    if (number == nullptr) refuse("." + key, "a number with a point, or null", json_excerpt(value));
    return *number;
  }

  /// The value of an enumeration by its name.
  template <NamedEnum Enum>
  Enum named(const std::string& key) const {
    const Json& value = any(key);
    std::string known;
    for (std::size_t i = 0; i < enum_names<Enum>.size(); ++i) {
      if (value == Json(enum_names<Enum>[i])) return static_cast<Enum>(i);
      known += concat(i == 0 ? "one of " : ", ", enum_names<Enum>[i]);
    }
    refuse("." + key, known, json_excerpt(value));
  }

  /// All members, each a whole number.
  std::map<std::string, std::uint64_t> naturals() const {
    std::map<std::string, std::uint64_t> numbers;
    for (const auto& member : *members_) numbers[member.first] = natural(member.first);
    return numbers;
  }

 private:
  [[noreturn]] void refuse(const std::string& member, std::string_view expected, std::string_view found) const {
    fail(concat(where_, ": ", name_, member, " must be ", expected, ", found ", found));
  }

  const Json::Object* members_;
  std::string where_;
  std::string name_;
};

inline TrainingOptions parse_training_options(const CheckpointFields& json) {
  TrainingOptions options;
  visit_training_options(options, [&](const char* name, auto& option) {
    using Option = std::remove_reference_t<decltype(option)>;
    if constexpr (std::is_enum_v<Option>) {
      option = json.named<Option>(name);
    } else if constexpr (std::same_as<Option, double>) {
      option = json.real(name);
    } else if constexpr (std::same_as<Option, Index>) {
      option = static_cast<Index>(json.natural(name));
    } else {
      option = json.any_natural(name);
    }
  });
  return options;
}

/// \param where  the file, for messages
inline CheckpointState parse_checkpoint_state(std::string_view text, const std::string& where) {
  const Json parsed = parse_json(text, where);
  const CheckpointFields json(parsed, where, "checkpoint");
  const std::uint64_t version = json.any_natural("version");
  if (version != CheckpointState::current_version) {
    fail(concat(where, ": checkpoint.version must be ", CheckpointState::current_version, ", found ", version,
                version == 1 ? ", which does not say with which options it was trained" : ""));
  }
  CheckpointState state;
  state.model = json.any("model");
  state.step = json.natural("step");
  const CheckpointFields dropout = json.object("dropout");
  state.dropout = {dropout.any_natural("seed"), dropout.any_natural("stream")};
  const CheckpointFields data = json.object("data");
  state.data = {data.natural("tokens"), data.natural("block_size"), data.natural("training_blocks"),
                data.any_natural("seed"), data.any_natural("hash")};
  state.data_position = data.natural("position");
  state.training = parse_training_options(json.object("training"));
  state.optimizer_steps = json.object("optimizer_steps").naturals();
  return state;
}

/// Refuses another configuration, naming the first field that differs.
inline void expect_same_config(const Json& expected, const Json& found, const std::string& where,
                               const std::string& name) {
  const auto refuse = [&](const std::string& field, const std::string& expectation, const std::string& other) {
    fail(concat(where, ": ", field, " must be ", expectation, ", found ", other));
  };
  const auto* wanted = expected.get_if<Json::Object>();
  const auto* others = found.get_if<Json::Object>();
  if (wanted == nullptr || others == nullptr) {
    if (!(expected == found)) refuse(name, json_excerpt(expected), json_excerpt(found));
    return;
  }
  for (const auto& [key, value] : *wanted) {
    const std::string field = concat(name, ".", key);
    const auto other = others->find(key);
    if (other == others->end()) refuse(field, json_excerpt(value), "nothing");
    expect_same_config(value, other->second, where, field);
  }
  for (const auto& [key, value] : *others) {
    if (!wanted->contains(key)) refuse(concat(name, ".", key), "absent", json_excerpt(value));
  }
}

/// Refuses another option that decides how a run goes on, naming it.
inline void expect_same_training(const TrainingOptions& expected, const TrainingOptions& found,
                                 const std::string& where) {
  const Json::Object others = training_json(found);
  for (const auto& [name, value] : training_json(expected)) {
    const Json& other = others.at(name);
    if (value == other || !training_option_matters(expected, name)) continue;
    fail(concat(where, ": checkpoint.training.", name, " must be ", json_excerpt(value), ", found ",
                json_excerpt(other), "; ResumeOptions::change_training goes on with another"));
  }
}

}  // namespace detail
}  // namespace weft
