// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the learning rate changes over a training run.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "weft/models/enum_names.hpp"
#include "weft/tensor/error.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// The schedules of transformers/optimization.py, under their names there.
enum class Schedule { constant, constant_with_warmup, linear, cosine };
template <>
inline constexpr std::array<std::string_view, 4> enum_names<Schedule>{"constant", "constant_with_warmup", "linear",
                                                                      "cosine"};

/// The schedule of a name; raises Error for another, with those that there are.
inline Schedule schedule_named(std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < enum_names<Schedule>.size(); ++i) {
    if (name == enum_names<Schedule>[i]) return static_cast<Schedule>(i);
    known += concat(i == 0 ? "" : ", ", enum_names<Schedule>[i]);
  }
  fail(concat("the schedule of the learning rate must be one of ", known, "; found \"", name, "\""));
}

/// What the learning rate is multiplied with in the update number `step`, counted from 0:
///
///     warm-up:   step / warmup_steps                                    while step < warmup_steps
///     linear:    (max_steps - step) / (max_steps - warmup_steps)        then, not below 0
///     cosine:    (1 + cos(π (step - warmup_steps) / (max_steps - warmup_steps))) / 2
///
/// `constant` has no warm-up, whatever `warmup_steps` is, as in Hugging Face's Trainer.
inline double schedule_factor(Schedule schedule, Index step, Index warmup_steps, Index max_steps) {
  if (schedule == Schedule::constant) return 1;
  if (step < warmup_steps) return static_cast<double>(step) / static_cast<double>(warmup_steps);
  if (schedule == Schedule::constant_with_warmup) return 1;
  const auto decay_steps = static_cast<double>(std::max<Index>(1, max_steps - warmup_steps));
  if (schedule == Schedule::linear) return std::max(0.0, static_cast<double>(max_steps - step) / decay_steps);
  const double progress = static_cast<double>(step - warmup_steps) / decay_steps;
  return std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * progress)));
}

}  // namespace weft
