// SPDX-License-Identifier: Apache-2.0
/// \file
/// `generation_config.json`: how a model wants to be continued.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/folder.hpp"
#include "weft/io/strict_json.hpp"
#include "weft/io/text_file.hpp"
#include "weft/models/generate.hpp"

namespace weft {

namespace detail {

/// A way of generation that is not here, and the values with which it does nothing.
struct UnsupportedGeneration {
  std::string_view name;
  double neutral;
};

inline constexpr std::array<UnsupportedGeneration, 12> kUnsupportedGeneration{{{"num_beams", 1},
                                                                               {"num_beam_groups", 1},
                                                                               {"encoder_repetition_penalty", 1},
                                                                               {"no_repeat_ngram_size", 0},
                                                                               {"typical_p", 1},
                                                                               {"epsilon_cutoff", 0},
                                                                               {"eta_cutoff", 0},
                                                                               {"penalty_alpha", 0},
                                                                               {"diversity_penalty", 0},
                                                                               {"guidance_scale", 1},
                                                                               {"min_length", 0},
                                                                               {"min_new_tokens", 0}}};

/// A number however it is written; NaN for what is none.
inline double number_of(const Json& json) {
  if (const auto* natural = json.get_if<std::uint64_t>()) return static_cast<double>(*natural);
  if (const auto* integer = json.get_if<std::int64_t>()) return static_cast<double>(*integer);
  const auto* real = json.get_if<double>();
  return real == nullptr ? std::nan("") : *real;
}

inline void expect_supported_generation(const Json& config, std::string_view where) {
  for (const auto& [name, neutral] : kUnsupportedGeneration) {
    const Json* value = config.find(name);
    if (value == nullptr || value->is_null() || number_of(*value) == neutral) continue;
    fail(concat(where, ": ", name, " must be ", neutral, ", because nothing else is supported, found ",
                json_excerpt(*value)));
  }
  for (const char* name :
       {"bad_words_ids", "force_words_ids", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id",
        "forced_eos_token_id", "forced_decoder_ids", "sequence_bias", "constraints", "stop_strings",
        "exponential_decay_length_penalty", "watermarking_config", "dola_layers", "top_h", "token_healing"}) {
    const Json* value = config.find(name);
    if (value == nullptr || value->is_null() || *value == Json(false) || *value == Json(Json::Array())) continue;
    fail(concat(where, ": ", name, " must be null, because nothing else is supported, found ", json_excerpt(*value)));
  }
}

/// Numbers out of an object, where they are there and not null.
struct GenerationNumbers {
  const Json& config;
  std::string_view where;

  const Json* find(std::string_view name) const {
    const Json* value = config.find(name);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  double real(std::string_view name, double otherwise) const {
    const Json* value = find(name);
    if (value == nullptr) return otherwise;
    if (std::isnan(number_of(*value))) refuse(name, "a number", *value);
    return number_of(*value);
  }
  Index natural(std::string_view name, Index otherwise) const {
    const Json* value = find(name);
    return value == nullptr ? otherwise : natural(name, *value);
  }
  Index natural(std::string_view name, const Json& value) const {
    const auto* number = value.get_if<std::uint64_t>();
    if (number == nullptr || *number > 0x7FFFFFFF) refuse(name, "a whole number from 0 on", value);
    return static_cast<Index>(*number);
  }
  bool truth(std::string_view name, bool otherwise) const {
    const Json* value = find(name);
    if (value == nullptr) return otherwise;
    const auto* answer = value->get_if<bool>();
    if (answer == nullptr) refuse(name, "true or false", *value);
    return *answer;
  }
  /// One number or a list of them.
  std::vector<Index> naturals(std::string_view name) const {
    const Json* value = find(name);
    if (value == nullptr) return {};
    const auto* list = value->get_if<Json::Array>();
    if (list == nullptr) return {natural(name, *value)};
    std::vector<Index> numbers;
    for (const Json& each : *list) numbers.push_back(natural(name, each));
    return numbers;
  }

 private:
  [[noreturn]] void refuse(std::string_view name, std::string_view expected, const Json& found) const {
    fail(concat(where, ": ", name, " must be ", expected, ", found ", json_excerpt(found)));
  }
};

/// Refuses what cannot be drawn by. Where nothing is drawn it has no effect, and is forgotten.
inline void settle_sampling(SamplingOptions& sampling, std::string_view where) {
  const bool has_temperature = sampling.temperature > 0 && std::isfinite(sampling.temperature);
  const bool has_top_p = sampling.top_p > 0 && sampling.top_p <= 1;
  if (sampling.sample && !has_temperature) {
    fail(concat(where, ": temperature must be positive with do_sample, found ", sampling.temperature));
  }
  if (sampling.sample && !has_top_p) {
    fail(concat(where, ": top_p must be in (0, 1] with do_sample, found ", sampling.top_p));
  }
  const bool has_min_p = sampling.min_p >= 0 && sampling.min_p <= 1;
  if (sampling.sample && !has_min_p) {
    fail(concat(where, ": min_p must be in [0, 1] with do_sample, found ", sampling.min_p));
  }
  if (!(sampling.repetition_penalty > 0) || !std::isfinite(sampling.repetition_penalty)) {
    fail(concat(where, ": repetition_penalty must be positive and finite, found ", sampling.repetition_penalty));
  }
  if (!has_temperature) sampling.temperature = 1;
  if (!has_top_p) sampling.top_p = 1;
  if (!has_min_p) sampling.min_p = 0;
}

}  // namespace detail

/// Reads `do_sample`, `temperature`, `top_k` (50 where it is absent, as Hugging Face has it), `top_p`, `min_p`,
/// `repetition_penalty`, `max_new_tokens` and `eos_token_id`. What would make another text and is not supported, beam search for
/// instance, is refused by name; the rest is of no effect, `max_length` too, which counts the prompt: how long an answer may be
/// is the caller's to say.
/// \param where  the file, for messages
inline GenerationOptions parse_generation_config(std::string_view text,
                                                 std::string_view where = "generation_config.json") {
  const detail::Json config = detail::parse_json(text, where);
  if (config.get_if<detail::Json::Object>() == nullptr) {
    fail(concat(where, ": an object is expected, found ", detail::json_excerpt(config)));
  }
  detail::expect_supported_generation(config, where);
  const detail::GenerationNumbers numbers{config, where};
  GenerationOptions options;
  options.sampling.sample = numbers.truth("do_sample", false);
  options.sampling.temperature = numbers.real("temperature", 1);
  options.sampling.top_k = numbers.natural("top_k", 50);
  options.sampling.top_p = numbers.real("top_p", 1);
  options.sampling.min_p = numbers.real("min_p", 0);
  options.sampling.repetition_penalty = numbers.real("repetition_penalty", 1);
  detail::settle_sampling(options.sampling, where);
  options.max_new_tokens = numbers.natural("max_new_tokens", options.max_new_tokens);
  options.stop_tokens = numbers.naturals("eos_token_id");
  return options;
}

/// The options of a model's folder; those of GenerationOptions where it has no `generation_config.json`.
inline GenerationOptions read_generation_config(const std::string& folder) {
  const std::string path = folder + "/generation_config.json";
  if (!detail::path_exists(path)) return {};
  return parse_generation_config(read_text(path), path);
}

}  // namespace weft
