// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a training run is told on the command line, and how it becomes a plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "weft/train/checkpoint_state.hpp"

#include "apps/weft/text_codec.hpp"
#include "apps/weft/training_run.hpp"

namespace apps {

/// What is not chosen is the usual value, or that of the checkpoint.
struct TrainOptions {
  std::string config;
  std::string text;
  std::string output;
  std::string tokenizer;
  std::optional<weft::Index> steps;
  std::optional<weft::Index> batch_size;
  std::optional<weft::Index> block_size;
  std::optional<double> learning_rate;
  std::optional<std::string> schedule;
  std::optional<weft::Index> warmup_steps;
  std::optional<double> weight_decay;
  std::optional<std::uint64_t> seed;
  double validation = 0.05;
  weft::Index save_every = 200;
  bool resume = false;
  bool json = false;

  std::string file(const char* name) const { return output + "/" + name; }
  std::string checkpoint() const { return file("checkpoint.safetensors"); }
};

/// How the texts of the run become tokens: by the tokenizer that is named, or that of the run to go on with, or the one beside
/// the configuration; where there is none, tokens are bytes.
TextCodec codec_of(const TrainOptions& options);

/// Reads configuration and text. Raises Error for a text or a vocabulary that does not fit.
/// \param stored  the state of the checkpoint to go on from, or null
TrainingPlan make_plan(const TrainOptions& options, const TextCodec& codec, const weft::CheckpointState* stored);

}  // namespace apps
