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

#include "apps/weft/finetuning.hpp"

namespace apps {

/// What a run needs beside its model.
struct TrainingPlan {
  std::vector<std::int32_t> tokens{};  ///< of the text
  weft::TokenDatasetOptions data{};
  weft::TrainingOptions training{};
};

/// A model, its optimiser and its text.
class TrainingRun {
 public:
  /// Of a model with first values as Hugging Face draws them. Raises Error where the library has no such model, or one of the
  /// options is refused.
  TrainingRun(const weft::PretrainedConfig& config, TrainingPlan plan);

  /// Of a model as `weft::load_pretrained` reads it, which gets a graph network or adapters with first values if the method
  /// wants them and it has none.
  TrainingRun(const std::string& folder, const Finetuning& finetuning, TrainingPlan plan);

  /// Of such a model with the adapters of another folder.
  TrainingRun(const std::string& folder, const std::string& adapter, TrainingPlan plan);

  ~TrainingRun();

  weft::Index parameter_count() const;
  weft::Index trained_parameter_count() const;
  weft::Index completed_steps() const;
  const weft::TrainingOptions& options() const;

  weft::Index token_count() const;

  /// Passes over the text so far, as in `StepReport`.
  double epoch() const;

  /// Whether tokens of a block see later ones, so that losses are no measure of prediction.
  bool looks_ahead() const;

  /// Whether a part of the text is held back to measure on.
  bool validates() const;

  /// See `weft::load_checkpoint`.
  void load_checkpoint(const std::string& path, bool change_training);
  void save_checkpoint(const std::string& path) const;

  /// Writes a model folder for `weft::load_pretrained`; of a model with adapters these alone, for `weft::load_lora`.
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
