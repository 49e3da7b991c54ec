// SPDX-License-Identifier: Apache-2.0
/// \file
/// A training run of any configuration behind an interface that is quick to compile; only training_run.cpp knows its type.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "weft/io/json_config.hpp"
#include "weft/train/trainer.hpp"

namespace apps {

/// What a run needs to begin.
struct TrainingPlan {
  weft::PretrainedConfig config{};
  std::vector<std::int32_t> tokens{};  ///< of the text
  weft::TokenDatasetOptions data{};
  weft::TrainingOptions training{};
};

/// A model with first values as Hugging Face draws them, its optimiser and its text.
class TrainingRun {
 public:
  /// Raises Error where the library has no such model, or one of the options is refused.
  explicit TrainingRun(TrainingPlan plan);
  ~TrainingRun();

  weft::Index parameter_count() const;
  weft::Index completed_steps() const;

  /// See `weft::load_checkpoint`.
  void load_checkpoint(const std::string& path, bool change_training);
  void save_checkpoint(const std::string& path) const;

  /// Writes config.json and the weights, for `weft::load_pretrained`.
  void save_model(const std::string& folder) const;

  /// On the validation part, which there must be.
  weft::EvaluationReport evaluate();

  /// See `weft::Trainer::fit`.
  bool fit(const weft::TrainingCallbacks& callbacks);

 private:
  struct Typed;
  std::unique_ptr<Typed> typed_;
};

}  // namespace apps
