// SPDX-License-Identifier: Apache-2.0
/// \file
/// `config.json`: what a checkpoint says about its model.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/config_reader.hpp"
#include "weft/io/folder.hpp"
#include "weft/io/strict_json.hpp"
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

/// \param what  the value, for messages
inline Json::Object& expect_object(Json& json, std::string_view where, std::string_view what) {
  auto* object = json.get_if<Json::Object>();
  if (object == nullptr) fail(concat(where, ": ", what, " must be an object, found ", json_excerpt(json)));
  return *object;
}

/// A file of another architecture has other fields, and every Llama field would silently get its default. Where it does not
/// name its type, its classes do.
inline void expect_llama(const Json& config, std::string_view where) {
  const Json* type = config.find("model_type");
  const bool named = type != nullptr && !(*type == "");
  if (named && !(*type == "llama")) fail(concat(where, ": model_type must be \"llama\", found ", json_excerpt(*type)));
  const Json* classes = config.find("architectures");
  const auto* list = classes == nullptr || named ? nullptr : classes->get_if<Json::Array>();
  if (list == nullptr) return;
  for (const Json& each : *list) {
    const auto* name = each.get_if<std::string>();
    if (name == nullptr || name->starts_with("Llama")) continue;
    fail(concat(where, ": architectures must be classes of Llama, found ", json_excerpt(each)));
  }
}

/// What Hugging Face's other architectures do with rotary positions, and no Llama can.
inline void expect_whole_rotation(const Json& json, std::string_view where, std::string_view prefix) {
  const Json* factor = json.find("partial_rotary_factor");
  if (factor == nullptr || factor->is_null() || *factor == 1 || *factor == 1.0) return;
  fail(concat(where, ": ", prefix, "partial_rotary_factor must be 1, found ", json_excerpt(*factor)));
}

/// What would change every result and is not here: attention to later tokens, and weights that are rounded when they are
/// loaded, or stored in other units than numbers.
inline void expect_plain_model(const Json& config, std::string_view where) {
  const Json* causal = config.find("is_causal");
  if (causal != nullptr && !causal->is_null() && !(*causal == true)) {
    fail(concat(where, ": is_causal must be true, found ", json_excerpt(*causal)));
  }
  const Json* quantized = config.find("quantization_config");
  if (quantized == nullptr || quantized->is_null() || *quantized == Json(Json::Object())) return;
  fail(concat(where,
              ": quantization_config is not supported (null is, for weights that are F32, F64, F16 or BF16), found ",
              json_excerpt(*quantized)));
}

/// The scaling names its kind `rope_type` today and `type` in older files; where both stand, they must agree.
inline void read_rope_type(const Json& json, std::string_view where, const ConfigReader& reader, RopeScaling& scaling) {
  const Json* old_name = json.find("type");
  const Json* new_name = json.find("rope_type");
  if (old_name != nullptr && new_name != nullptr && !(*old_name == *new_name)) {
    fail(concat(where, ": rope_scaling.type and rope_scaling.rope_type must agree, found ", json_excerpt(*old_name),
                " and ", json_excerpt(*new_name)));
  }
  if (old_name == nullptr && new_name == nullptr && json.find("factor") != nullptr) {
    fail(concat(where, ": rope_scaling.rope_type is expected beside rope_scaling.factor, but not there"));
  }
  expect_whole_rotation(json, where, "rope_scaling.");
  reader.read(config_field("type", scaling.type));
  reader.read(config_field("rope_type", scaling.type));
}

/// Hugging Face's files have `rope_scaling`, an object or null, beside `rope_theta`; since transformers 5 they have
/// `rope_parameters`, which holds both. What else they hold stays in `rope_scaling`.
/// \return  whether it was there
inline bool read_rope_scaling(Json::Object& config, const char* name, std::string_view where, LlamaConfig& llama,
                              std::vector<std::string>& notes) {
  const auto member = config.find(name);
  if (member == config.end()) return false;
  Json json = std::move(member->second);
  config.erase(member);
  if (json.is_null()) return false;
  llama.rope_scaling = {};
  const ConfigReader reader(expect_object(json, where, name), where, concat(name, "."), notes);
  reader.read(config_field("rope_theta", llama.rope_theta));
  read_rope_type(json, where, reader, llama.rope_scaling);
  ConfigFieldList numbers;
  visit_rope_fields(llama.rope_scaling, numbers);
  for (const ConfigField& field : numbers.fields()) reader.require(field);
  if (!(json == Json(Json::Object()))) config.insert_or_assign("rope_scaling", std::move(json));
  return true;
}

/// Versions of transformers differ in which of the two they read where a file has both.
inline void read_rope_scalings(Json::Object& config, std::string_view where, LlamaConfig& llama,
                               std::vector<std::string>& notes) {
  const bool old_style = read_rope_scaling(config, "rope_scaling", where, llama, notes);
  const RopeScaling scaling = llama.rope_scaling;
  const double theta = llama.rope_theta;
  if (!read_rope_scaling(config, "rope_parameters", where, llama, notes) || !old_style) return;
  if (scaling == llama.rope_scaling && theta == llama.rope_theta) return;
  fail(concat(where, ": rope_scaling, with rope_theta beside it, and rope_parameters must agree"));
}

/// \param json  null, or an object with what else `rope_scaling` held
inline void write_rope_scaling(Json& json, RopeScaling scaling, std::string_view where) {
  if (scaling.type == RopeType::standard && json.is_null()) return;
  if (json.is_null()) json = Json::Object();
  Json::Object& object = expect_object(json, where, "rope_scaling");
  object["rope_type"] = field_json(scaling.type);
  ConfigFieldList numbers;
  visit_rope_fields(scaling, numbers);
  for (const ConfigField& field : numbers.fields()) object[field.name] = field.json();
}

/// The model does not read these ids, and the reference's own recipe has some beyond its vocabulary.
inline void note_foreign_tokens(std::string_view where, const char* field, const TokenIds& ids, int vocab_size,
                                std::vector<std::string>& notes) {
  for (const int id : ids) {
    if (id >= 0 && id < vocab_size) continue;
    notes.push_back(concat(where, ": ", field, " ", id, " is no token of a vocabulary of ", vocab_size));
  }
}

/// A whole number as such: the reference multiplies widths by it, and one of its layers takes no other.
inline Json multiplier_json(double multiplier) {
  const bool whole = multiplier == std::trunc(multiplier) && std::abs(multiplier) < 1e9;
  return whole ? Json(static_cast<int>(multiplier)) : field_json(multiplier);
}

/// \param json  gets the fields, beside those that it has
inline void write_gnn_fields(Json::Object& json, GNNConfig gnn) {
  GNNConfig defaults;
  const std::vector<ConfigField> usual = list_fields(defaults);
  const std::vector<ConfigField> fields = list_fields(gnn);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const FieldOf whose = fields[i].whose;
    const bool expected = whose == FieldOf::reference ||
                          (whose == FieldOf::causal_gin && gnn.gnn_type == GNNType::causal_gin) ||
                          (whose == FieldOf::causal_pna && gnn.gnn_type == GNNType::causal_pna);
    Json value = fields[i].json();
    if (expected || !(value == usual[i].json())) json[fields[i].name] = std::move(value);
  }
  for (const char* name : {"attention_GIN_MLP_multiplier", "GIN_hidden_dim_multiplier"}) {
    const auto multiplier = json.find(name);
    if (multiplier == json.end()) continue;
    if (const double* value = multiplier->second.get_if<double>()) multiplier->second = multiplier_json(*value);
  }
}

/// `act_kwargs`, arguments of the activation inside `causal_pna`, is the only field that the reference reads and that is no
/// member of GNNConfig: its activations take none here, so that it may say nothing.
inline void expect_no_act_kwargs(const Json& gnn, std::string_view where) {
  const Json* arguments = gnn.find("act_kwargs");
  if (arguments == nullptr || arguments->is_null() || *arguments == Json(Json::Object())) return;
  fail(concat(where, ": gnn_config.act_kwargs must be null or {}, found ", json_excerpt(*arguments)));
}

/// The fields of `gnn_config`; those that are left behind are unknown, or without effect.
inline void read_gnn_fields(Json& json, std::string_view where, GNNConfig& gnn, std::vector<std::string>& notes) {
  Json::Object& object = expect_object(json, where, "gnn_config");
  expect_no_act_kwargs(json, where);
  const Json* semantics = json.find("semantics");
  const Json* strict_config = json.find("strict_config");
  const bool chosen = strict_config != nullptr && !strict_config->is_null();
  const bool intended = semantics != nullptr && *semantics == name_of(Semantics::intended);
  const ConfigReader reader(object, where, "gnn_config.", notes, chosen ? *strict_config == true : intended);
  for (const ConfigField& field : list_fields(gnn)) reader.read(field);
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
  detail::Json::Object& object = detail::expect_object(json, where, "the configuration");
  detail::expect_llama(json, where);
  detail::expect_whole_rotation(json, where, "");
  detail::expect_plain_model(json, where);
  PretrainedConfig config;
  const detail::ConfigReader reader(object, where, "", config.notes);
  for (const detail::ConfigField& field : detail::list_fields(config.llama)) reader.read(field);
  detail::read_rope_scalings(object, where, config.llama, config.notes);
  const LlamaConfig& llama = config.llama;
  detail::note_foreign_tokens(where, "bos_token_id", llama.bos_token_id, llama.vocab_size, config.notes);
  detail::note_foreign_tokens(where, "eos_token_id", llama.eos_token_id, llama.vocab_size, config.notes);
  if (const auto gnn = object.find("gnn_config"); gnn != object.end()) {
    if (!gnn->second.is_null()) detail::read_gnn_fields(gnn->second, where, config.gnn, config.notes);
    if (gnn->second.is_null() || gnn->second == detail::Json::Object()) object.erase(gnn);
  }
  config.other = detail::json_text(json);
  return config;
}

/// `validate`, with the file in front of what it refuses (where there are exceptions).
inline void validate_config([[maybe_unused]] const std::string& path, const PretrainedConfig& config) {
#if defined(__cpp_exceptions)
  try {
    validate(config.llama, config.gnn);
  } catch (const Error& error) {
    fail(concat(path, ": ", error.what()));
  }
#else
  validate(config.llama, config.gnn);
#endif
}

/// Reads a configuration file; see `parse_config`. At most 16 MiB are accepted.
inline PretrainedConfig read_config(const std::string& path) {
  const std::string folder = detail::parent_of(path);
  if (!detail::path_exists(path) && detail::path_exists(folder + "/adapter_config.json")) {
    fail(concat("cannot open ", path, ": ", folder, " has adapters of a model (adapter_config.json), not the model"));
  }
  constexpr std::size_t largest = std::size_t{16} << 20U;
  return parse_config(read_text(path, largest), path);
}

/// The JSON text of a configuration, with sorted keys, as Hugging Face writes it. `parse_config` of it gives the same
/// configuration.
inline std::string config_text(const PretrainedConfig& config) {
  constexpr const char* other = "PretrainedConfig::other";
  detail::Json json = detail::parse_json(config.other, other);
  detail::Json::Object& object = detail::expect_object(json, other, "it");
  LlamaConfig llama = config.llama;
  for (const detail::ConfigField& field : detail::list_fields(llama)) object[field.name] = field.json();
  detail::write_rope_scaling(object["rope_scaling"], llama.rope_scaling, other);
  detail::Json& gnn = object["gnn_config"];
  if (gnn.is_null()) gnn = detail::Json::Object();
  detail::write_gnn_fields(detail::expect_object(gnn, other, "gnn_config"), config.gnn);
  return detail::json_lines(json) + "\n";
}

/// Replaces a configuration file as a whole or not at all; see AtomicFile.
inline void write_config(const std::string& path, const PretrainedConfig& config) {
  write_text(path, config_text(config));
}

}  // namespace weft
