// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a training run is told.
#pragma once

#include <cstdint>
#include <string_view>

#include "weft/tensor/types.hpp"
#include "weft/train/labels.hpp"
#include "weft/train/schedule.hpp"

namespace weft {

/// Names and meanings are those of Hugging Face's TrainingArguments where it has them.
struct TrainingOptions {
  double learning_rate = 5e-5;
  Index batch_size = 8;                   ///< blocks in one forward pass
  Index max_steps = 1000;                 ///< updates of the weights
  Index gradient_accumulation_steps = 1;  ///< forward passes for one update
  double weight_decay = 0;
  double max_grad_norm = 1;  ///< global norm to clip gradients to; 0: not clipped
  Schedule schedule = Schedule::linear;
  Index warmup_steps = 0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  Index evaluate_every = 0;      ///< steps between evaluations, the last of them after the last step; 0: none
  Index evaluation_batches = 0;  ///< spread evenly over the validation part; 0: all of it
  LossNormalization loss_normalization = LossNormalization::predicted;
  std::uint64_t seed = 42;  ///< of dropout
};

namespace detail {

/// Calls `visit(name, option)` for those that decide the weights: all but what is said of evaluations.
template <class Options, class Visit>
void visit_training_options(Options& options, Visit&& visit) {
  visit("learning_rate", options.learning_rate);
  visit("batch_size", options.batch_size);
  visit("max_steps", options.max_steps);
  visit("gradient_accumulation_steps", options.gradient_accumulation_steps);
  visit("weight_decay", options.weight_decay);
  visit("max_grad_norm", options.max_grad_norm);
  visit("schedule", options.schedule);
  visit("warmup_steps", options.warmup_steps);
  visit("adam_beta1", options.adam_beta1);
  visit("adam_beta2", options.adam_beta2);
  visit("adam_epsilon", options.adam_epsilon);
  visit("loss_normalization", options.loss_normalization);
  visit("seed", options.seed);
}

/// Whether the option of this name decides anything under the schedule that is chosen.
inline bool training_option_matters(const TrainingOptions& options, std::string_view name) {
  const bool constant = options.schedule == Schedule::constant;
  if (name == "max_steps") return !constant && options.schedule != Schedule::constant_with_warmup;
  return name != "warmup_steps" || !constant;
}

}  // namespace detail
}  // namespace weft
