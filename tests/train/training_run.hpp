// SPDX-License-Identifier: Apache-2.0
/// \file
/// A training run of the letter model, as tests interrupt it.
#pragma once

#include "weft/train/trainer.hpp"

#include "train/letter_model.hpp"

namespace weft::testing {

/// Everything a run consists of. Runs with other model seeds begin with other weights.
struct TrainingRun {
  LetterModel<float> model;
  TokenDataset data{letters(330), {.block_size = 10, .validation = 0.2}};
  Trainer<LetterModel<float>> trainer;

  explicit TrainingRun(std::uint64_t model_seed = 7, TrainingOptions options = default_options())
      : model(model_seed, 0.1), trainer(model, options) {}

  static TrainingOptions default_options() {
    return {.learning_rate = 0.02,
            .batch_size = 3,
            .max_steps = 1000,
            .gradient_accumulation_steps = 2,
            .weight_decay = 0.1,
            .schedule = Schedule::cosine,
            .warmup_steps = 4};
  }

  /// Whether both would go on alike: weights, optimiser, step and place in the data.
  bool same_as(const TrainingRun& other) const {
    const auto mine = trainer.optimizer().states();
    const auto theirs = other.trainer.optimizer().states();
    for (std::size_t i = 0; i < mine.size(); ++i) {
      const Index size = trainer.parameters()[i].size();
      if (mine[i].steps != theirs[i].steps ||
          !std::equal(mine[i].first_moment, mine[i].first_moment + size, theirs[i].first_moment) ||
          !std::equal(mine[i].second_moment, mine[i].second_moment + size, theirs[i].second_moment)) {
        return false;
      }
    }
    return weights_of(model) == weights_of(other.model) && data.position() == other.data.position() &&
           trainer.completed_steps() == other.trainer.completed_steps() &&
           trainer.dropout_state() == other.trainer.dropout_state();
  }
};

}  // namespace weft::testing
