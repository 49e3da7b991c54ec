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

/// The same by what PEFT calls its further variants: `use_dora`, `rank_pattern`, `arrow_config`. Excepted are what is here and
/// what matters only before training.
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

/// The names of a list in the configuration; null where it is something else (PEFT takes a regular expression too).
inline const Json::Array* list_of(const Json& config, std::string_view name) {
  const Json* value = config.find(name);
  return value == nullptr ? nullptr : value->get_if<Json::Array>();
}

/// Whether one of the names in a list means a module.
inline bool names_module(const Json::Array& names, const std::string& module) {
  for (const Json& name : names) {
    const auto* text = name.get_if<std::string>();
    if (text != nullptr && is_lora_target(module, *text)) return true;
  }
  return false;
}

/// Whether `layers_to_transform`, a number or a list of such, leaves out the layer of a module.
inline bool leaves_out_layer(const Json& config, const std::string& module) {
  const Json* layers = config.find("layers_to_transform");
  if (layers == nullptr || is_neutral(*layers)) return false;
  const Json layer(layer_of_module(module));
  const auto* list = layers->get_if<Json::Array>();
  if (list == nullptr) return !(*layers == layer);
  for (const Json& chosen : *list) {
    if (chosen == layer) return false;
  }
  return true;
}

/// Says no to adapters of modules that the configuration does not choose: PEFT would leave these out.
inline void expect_chosen(const Json& config, const std::string& where, const std::set<std::string>& modules) {
  const Json::Array* const targets = list_of(config, "target_modules");
  const Json::Array* const excluded = list_of(config, "exclude_modules");
  for (const std::string& module : modules) {
    const auto refuse = [&](std::string_view name, std::string_view what) {
      fail(concat(where, ": ", name, " ", what, " ", module, ", found ", json_excerpt(*config.find(name)),
                  ", but there is an adapter for it"));
    };
    if (targets != nullptr && !names_module(*targets, module)) refuse("target_modules", "must name");
    if (excluded != nullptr && names_module(*excluded, module)) refuse("exclude_modules", "must not name");
    if (leaves_out_layer(config, module)) refuse("layers_to_transform", "must have the layer of");
  }
}

}  // namespace weft::detail
