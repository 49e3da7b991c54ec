// SPDX-License-Identifier: Apache-2.0
/// \file
/// What adapter_config.json says, as Hugging Face's PEFT writes it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "weft/io/strict_json.hpp"
#include "weft/models/lora.hpp"

namespace weft::detail {

/// Fields of adapter_config.json that change the result, and are supported only where they are null, false or empty.
inline constexpr std::array<std::string_view, 7> kUnsupportedLora{
    "lora_bias",         "fan_in_fan_out",          "modules_to_save",        "layer_replication",
    "target_parameters", "trainable_token_indices", "alora_invocation_tokens"};

/// The same by what PEFT calls its further variants: `use_dora`, `rank_pattern`, `arrow_config`. Excepted are what is here or
/// judged by itself, and what matters only before training.
inline bool names_lora_variant(std::string_view name) {
  if (name == "use_rslora" || name == "layers_pattern" || name == "eva_config") return false;
  return name.starts_with("use_") || name.ends_with("_pattern") || name.ends_with("_config");
}

inline bool is_neutral(const Json& value) {
  const auto* truth = value.get_if<bool>();
  const auto* elements = value.get_if<Json::Array>();
  const auto* members = value.get_if<Json::Object>();
  return value.is_null() || (truth != nullptr && !*truth) || (elements != nullptr && elements->empty()) ||
         (members != nullptr && members->empty());
}

inline void expect_supported_lora(const Json& config, const std::string& where) {
  const auto refuse = [&](std::string_view name, std::string_view supported, const Json& found) {
    fail(concat(where, ": ", name, " is supported only where it is ", supported, ", found ", json_excerpt(found)));
  };
  const auto expect_text = [&](std::string_view name, std::string_view wanted) {
    const Json* value = config.find(name);
    if (value == nullptr) return;
    const auto* text = value->get_if<std::string>();
    if (text == nullptr || *text != wanted) refuse(name, in_quotes(wanted), *value);
  };
  if (config.get_if<Json::Object>() == nullptr) fail(concat(where, ": an object is expected"));
  if (config.find("peft_type") == nullptr) fail(concat(where, ": peft_type is expected, but not there"));
  expect_text("peft_type", "LORA");
  expect_text("bias", "none");
  for (const auto& [name, value] : *config.get_if<Json::Object>()) {
    const bool changes_result = names_lora_variant(name) || std::find(kUnsupportedLora.begin(), kUnsupportedLora.end(),
                                                                      name) != kUnsupportedLora.end();
    if (changes_result && !is_neutral(value)) refuse(name, "null, false or empty", value);
  }
  const Json* const layers = config.find("layers_to_transform");
  const Json* const pattern = config.find("layers_pattern");
  const bool only_some = layers != nullptr && !is_neutral(*layers) && pattern != nullptr && !is_neutral(*pattern);
  if (only_some && !(*pattern == Json("layers") || *pattern == Json(Json::Array{"layers"}))) {
    refuse("layers_pattern", "null or \"layers\"", *pattern);
  }
  if (const Json* first = config.find("init_lora_weights")) {  // the others change the weights of the base
    const auto* text = first->get_if<std::string>();
    const bool keeps_base = first->get_if<bool>() != nullptr ||
                            (text != nullptr && (*text == "gaussian" || *text == "eva" || *text == "orthogonal"));
    if (!keeps_base) refuse("init_lora_weights", "true, false, \"gaussian\", \"eva\" or \"orthogonal\"", *first);
  }
}

/// What all adapters of a folder have in common.
inline LoraAdapterOptions read_lora_options(const Json& config, const std::string& where) {
  expect_supported_lora(config, where);
  LoraAdapterOptions options;
  const auto number = [&](std::string_view name, double absent) {
    const Json* value = config.find(name);
    if (value == nullptr) return absent;
    const auto* natural = value->get_if<std::uint64_t>();
    const auto* real = value->get_if<double>();
    if (natural == nullptr && (real == nullptr || *real < 0)) {
      fail(concat(where, ": ", name, " must be a number, not negative, found ", json_excerpt(*value)));
    }
    return natural != nullptr ? static_cast<double>(*natural) : *real;
  };
  const double rank = number("r", 8);
  if (!(rank >= 1 && rank <= 1 << 20 && rank == std::floor(rank))) {
    fail(concat(where, ": r must be a whole number from 1 on, found ", rank));
  }
  options.r = static_cast<Index>(rank);
  options.lora_alpha = number("lora_alpha", 8);
  options.lora_dropout = number("lora_dropout", 0);
  if (const Json* value = config.find("use_rslora")) {
    const auto* truth = value->get_if<bool>();
    if (truth == nullptr) fail(concat(where, ": use_rslora must be true or false, found ", json_excerpt(*value)));
    options.use_rslora = *truth;
  }
  return options;
}

/// Whether a list of PEFT's means a module, by its whole name or by the end of it behind a dot.
inline bool names_module(const Json::Array& names, const std::string& module) {
  for (const Json& name : names) {
    const auto* text = name.get_if<std::string>();
    if (text != nullptr && *text != "all-linear" && is_lora_target(module, *text)) return true;
  }
  return false;
}

inline bool contains(const Json::Array& list, const Json& wanted) {
  for (const Json& element : list) {
    if (element == wanted) return true;
  }
  return false;
}

/// Whether a field of the configuration takes a module. A regular expression, which PEFT knows too, is not judged, nor is
/// what is not there.
inline bool takes(const Json* targets, const std::string& module) {
  if (targets == nullptr) return true;
  if (const auto* names = targets->get_if<Json::Array>()) return names_module(*names, module);
  return !(*targets == Json("all-linear")) || is_lora_target(module, "all-linear");
}
inline bool excludes(const Json* excluded, const std::string& module) {
  const auto* names = excluded == nullptr ? nullptr : excluded->get_if<Json::Array>();
  return names != nullptr && names_module(*names, module);
}

/// Whether `layers_to_transform`, a number or a list of such, takes the layer of a module. It says nothing of modules that
/// `target_modules` has by their whole names.
inline bool takes_layer(const Json* layers, const Json* targets, const std::string& module) {
  if (layers == nullptr || is_neutral(*layers)) return true;
  const auto* names = targets == nullptr ? nullptr : targets->get_if<Json::Array>();
  if (names != nullptr && contains(*names, Json(module))) return true;
  const Json layer(layer_of_module(module));
  const auto* list = layers->get_if<Json::Array>();
  return list == nullptr ? *layers == layer : contains(*list, layer);
}

/// Says no to adapters of modules that the configuration does not choose: PEFT would leave these out.
inline void expect_chosen(const Json& config, const std::string& where, const std::set<std::string>& modules) {
  const Json* const targets = config.find("target_modules");
  for (const std::string& module : modules) {
    const auto refuse = [&](std::string_view name, std::string_view what) {
      fail(concat(where, ": ", name, " ", what, " ", module, ", found ", json_excerpt(*config.find(name)),
                  ", but there is an adapter for it"));
    };
    if (!takes(targets, module)) refuse("target_modules", "must name");
    if (excludes(config.find("exclude_modules"), module)) refuse("exclude_modules", "must not name");
    if (!takes_layer(config.find("layers_to_transform"), targets, module)) {
      refuse("layers_to_transform", "must have the layer of");
    }
  }
}

}  // namespace weft::detail
