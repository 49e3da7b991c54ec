// SPDX-License-Identifier: Apache-2.0
/// \file
/// The options of a command line that say how a text is continued.
#pragma once

#include <cstdint>
#include <optional>

#include "apps/support/arguments.hpp"
#include "apps/weft/command.hpp"
#include "apps/weft/model.hpp"

namespace apps {

/// What was chosen; what was not is the model's usual way.
struct SamplingChoice {
  std::optional<weft::Index> max_new_tokens;
  std::optional<double> temperature;
  std::optional<weft::Index> top_k;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<double> repetition_penalty;
  std::optional<std::uint64_t> seed;

  /// \param usual_length  of an answer, for the help
  void add_to(CLI::App& command, const std::string& usual_length) {
    command.add_option("--max-new-tokens", max_new_tokens, "the most tokens to add (" + usual_length + ")")
        ->transform(between(0, kMost));
    command.add_option("--temperature", temperature, "draw: below 1 the probable more often, above 1 less")
        ->transform(between(0.0, 1e6));
    command.add_option("--top-k", top_k, "draw among the k most probable tokens")->transform(between(1, kMost));
    command.add_option("--top-p", top_p, "draw among the most probable whose probability reaches p")
        ->transform(between(1e-9, 1.0));
    command.add_option("--min-p", min_p, "draw among those with this share of the highest probability")
        ->transform(between(0.0, 1.0));
    command
        .add_option("--repetition-penalty", repetition_penalty, "above 1: tokens that the text has come less often (1)")
        ->transform(between(1e-3, 1e3));
    command.add_option("--seed", seed, "of drawing (0)")->transform(apps::seed());
  }

  /// Any choice about drawing draws; temperature 0 is the limit in which the most probable token is certain.
  Continuation continuation(Continuation usual) const {
    const bool draws = temperature || top_k || top_p || min_p || seed || usual.sampling.sample;
    usual.sampling.sample = draws && temperature != 0.0;
    if (max_new_tokens) usual.max_new_tokens = *max_new_tokens;
    if (temperature && *temperature != 0) usual.sampling.temperature = *temperature;
    if (top_k) usual.sampling.top_k = *top_k;
    if (top_p) usual.sampling.top_p = *top_p;
    if (min_p) usual.sampling.min_p = *min_p;
    if (repetition_penalty) usual.sampling.repetition_penalty = *repetition_penalty;
    if (seed) usual.sampling.seed = *seed;
    return usual;
  }
};

}  // namespace apps
