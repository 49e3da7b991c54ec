// SPDX-License-Identifier: Apache-2.0
/// \file
/// `config.json`: what a checkpoint says about its model.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/config_reader.hpp"
#include "weft/io/gnn_fields.hpp"
#include "weft/io/text_file.hpp"
#include "weft/models/config.hpp"

namespace weft {

/// A `config.json` of Hugging Face's Llama, with the reference's `gnn_config` inside, or without: a plain Llama.
struct PretrainedConfig {
  LlamaConfig llama{};
  GNNConfig gnn{};

  /// The fields that neither of the two has, as one JSON object; they come back when the configuration is written.
  std::string other = R"({"architectures":["LlamaForCausalLMWithGNN"],"model_type":"llama","torch_dtype":"float32"})";

  /// A sentence for each value that was replaced by another while reading. Somebody should see them.
  std::vector<std::string> notes{};
};

namespace detail {

inline void expect_object(const Json& json, std::string_view where, std::string_view what) {
  if (!json.is_object()) fail(concat(where, ": ", what, " must be an object, found ", json_excerpt(json)));
}

/// A file of another architecture has other fields, and every Llama field would silently get its default.
inline void expect_llama(const Json& config, std::string_view where) {
  const auto type = config.find("model_type");
  if (type == config.end()) return;
  const auto* name = type->get_ptr<const std::string*>();
  if (name == nullptr || (*name != "llama" && !name->empty())) {
    fail(concat(where, ": model_type must be \"llama\", found ", json_excerpt(*type)));
  }
}

/// The scaling names its kind `rope_type` today and `type` in older files; where both stand, they must agree.
inline void read_rope_type(const Json& json, std::string_view where, ConfigReader& reader, RopeScaling& scaling) {
  const auto old_name = json.find("type");
  const auto new_name = json.find("rope_type");
  if (old_name != json.end() && new_name != json.end() && *old_name != *new_name) {
    fail(concat(where, ": rope_scaling.type and rope_scaling.rope_type must agree, found ", json_excerpt(*old_name),
                " and ", json_excerpt(*new_name)));
  }
  reader("type", scaling.type);
  reader("rope_type", scaling.type);
}

/// Hugging Face's files have `rope_scaling`, an object or null, beside `rope_theta`; since transformers 5 they have
/// `rope_parameters`, which holds both.
inline void read_rope_scaling(Json& config, const char* name, std::string_view where, LlamaConfig& llama,
                              std::vector<std::string>& notes) {
  const auto member = config.find(name);
  if (member == config.end()) return;
  Json json = std::move(*member);
  config.erase(member);
  if (json.is_null()) return;
  expect_object(json, where, name);
  ConfigReader reader(json, where, concat(name, "."), notes);
  reader("rope_theta", llama.rope_theta);
  read_rope_type(json, where, reader, llama.rope_scaling);
  visit_rope_fields(llama.rope_scaling, [&](const char* field, auto& value) { reader.require(field, value); });
}

/// What every field is written as.
inline Json field_json(bool truth) { return truth; }
inline Json field_json(int number) { return number; }
inline Json field_json(double number) {
  if (!std::isfinite(number)) fail(concat("config.json: a number must be finite, found ", number));
  return number;
}
inline Json field_json(const DerivedExtent<const int>& extent) {
  return extent.value == 0 ? Json() : Json(extent.value);
}
inline Json field_json(const TokenIds& ids) {
  if (ids.empty()) return nullptr;
  if (ids.size() == 1) return *ids.begin();
  Json array = Json::array();
  for (const int id : ids) array.push_back(id);
  return array;
}
template <NamedEnum Enum>
Json field_json(Enum value) {
  return name_of(value);
}

inline Json rope_scaling_json(const RopeScaling& scaling) {
  if (scaling.type == RopeType::standard) return nullptr;
  Json json = {{"rope_type", field_json(scaling.type)}};
  visit_rope_fields(scaling, [&](const char* name, const auto& field) { json[name] = field_json(field); });
  return json;
}

template <class Value>
Json field_json(const std::optional<Value>& value) {
  return value ? field_json(*value) : Json();
}
template <class Value, std::size_t Capacity>
Json field_json(const FixedList<Value, Capacity>& list) {
  Json array = Json::array();
  for (const Value& value : list) array.push_back(field_json(value));
  return array;
}

/// A whole number as such: the reference multiplies widths by it, and one of its layers takes no other.
inline Json multiplier_json(double multiplier) {
  const bool whole = multiplier == std::trunc(multiplier) && std::abs(multiplier) < 1e9;
  return whole ? Json(static_cast<int>(multiplier)) : field_json(multiplier);
}

/// \param json  an object with the other fields, or null
inline void write_gnn_fields(Json& json, const GNNConfig& gnn) {
  Json usual;
  const GNNConfig defaults;
  visit_gnn_fields(defaults, [&](const char* name, const auto& field, FieldOf = FieldOf::reference) {
    usual[name] = field_json(field);
  });
  visit_gnn_fields(gnn, [&](const char* name, const auto& field, FieldOf whose = FieldOf::reference) {
    const bool expected = whose == FieldOf::reference ||
                          (whose == FieldOf::causal_gin && gnn.gnn_type == GNNType::causal_gin) ||
                          (whose == FieldOf::causal_pna && gnn.gnn_type == GNNType::causal_pna);
    Json value = field_json(field);
    if (expected || value != usual.at(name)) json[name] = std::move(value);
  });
  for (const char* name : {"attention_GIN_MLP_multiplier", "GIN_hidden_dim_multiplier"}) {
    if (json.contains(name)) json[name] = multiplier_json(json[name].get<double>());
  }
}

/// The fields of `gnn_config`; those that are left behind are unknown.
inline void read_gnn_fields(Json& json, std::string_view where, GNNConfig& gnn, std::vector<std::string>& notes) {
  expect_object(json, where, "gnn_config");
  const bool intended = json.contains("semantics") && json["semantics"] == name_of(Semantics::intended);
  const bool strict = json.contains("strict_config") ? json["strict_config"] == true : intended;
  const ConfigReader reader(json, where, "gnn_config.", notes, strict);
  visit_gnn_fields(gnn, [&](const char* name, auto& field, FieldOf = FieldOf::reference) { reader(name, field); });
}

}  // namespace detail

/// Reads a configuration from its JSON text. Fields that are absent have the defaults of Hugging Face and of the
/// reference; fields that are unknown are kept in `other`. Raises Error with file, field, what may stand there and what
/// was found when a value has the wrong type or a name that is not one of the allowed. Where the reference takes an
/// unknown name for the default, so does this, with a sentence in `notes`, unless the file has `strict_config`.
///
/// Whether the library can build such a model is asked of `validate`.
/// \param where  the file, for messages
inline PretrainedConfig parse_config(std::string_view text, std::string_view where = "config.json") {
  detail::Json json = detail::parse_json(text, where);
  detail::expect_object(json, where, "the configuration");
  detail::expect_llama(json, where);
  PretrainedConfig config;
  detail::visit_llama_fields(config.llama, detail::ConfigReader(json, where, "", config.notes));
  detail::read_rope_scaling(json, "rope_scaling", where, config.llama, config.notes);
  detail::read_rope_scaling(json, "rope_parameters", where, config.llama, config.notes);
  if (const auto gnn = json.find("gnn_config"); gnn != json.end()) {
    detail::read_gnn_fields(*gnn, where, config.gnn, config.notes);
    if (gnn->empty()) json.erase(gnn);
  }
  config.other = detail::json_text(json);
  return config;
}

/// Reads a configuration file; see `parse_config`. At most 16 MiB are accepted.
inline PretrainedConfig read_config(const std::string& path) {
  constexpr std::size_t largest = std::size_t{16} << 20U;
  return parse_config(read_text(path, largest), path);
}

/// The JSON text of a configuration, with sorted keys, as Hugging Face writes it. `parse_config` of it gives the same
/// configuration.
inline std::string config_text(const PretrainedConfig& config) {
  constexpr const char* other = "PretrainedConfig::other";
  detail::Json json = detail::parse_json(config.other, other);
  detail::expect_object(json, other, "it");
  detail::visit_llama_fields(config.llama,
                             [&](const char* name, const auto& field) { json[name] = detail::field_json(field); });
  json["rope_scaling"] = detail::rope_scaling_json(config.llama.rope_scaling);
  detail::Json& gnn = json["gnn_config"];
  if (!gnn.is_null()) detail::expect_object(gnn, other, "gnn_config");
  detail::write_gnn_fields(gnn, config.gnn);
  return detail::json_text(json, 2) + "\n";
}

/// Replaces a configuration file as a whole or not at all; see AtomicFile.
inline void write_config(const std::string& path, const PretrainedConfig& config) {
  write_text(path, config_text(config));
}

}  // namespace weft
