// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every training run is told on the command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "weft/train/checkpoint_state.hpp"

#include "apps/weft/run_record.hpp"
#include "apps/weft/text_codec.hpp"
#include "apps/weft/training_run.hpp"

namespace apps {

/// What is not chosen is that of the run to go on with, or the command's usual value.
struct RunOptions {
  std::string text;
  std::string output;
  std::optional<weft::Index> steps;
  std::optional<weft::Index> batch_size;
  std::optional<weft::Index> block_size;
  std::optional<double> learning_rate;
  std::optional<std::string> schedule;
  std::optional<weft::Index> warmup_steps;
  std::optional<double> weight_decay;
  std::optional<double> validation;
  std::optional<std::uint64_t> seed;
  weft::Index save_every = 200;
  bool ids = false;
  bool keep_epochs = false;
  bool resume = false;
  bool json = false;

  std::string file(const std::string& name) const { return output + "/" + name; }
  std::string checkpoint() const { return file("checkpoint.safetensors"); }

  /// \param usual  for the help
  void add_to(CLI::App& command, const weft::TrainingOptions& usual);
};

/// Raises Error if the output folder has a model, a part of one or another run, which a new run would replace.
void expect_new_run(const RunOptions& options);

/// The run to go on with, where one is asked for; without that, expects a new one. Raises Error if another is under way there.
std::optional<weft::CheckpointState> stored_run(const RunOptions& options);

/// Reads the text. Raises Error where a model cannot learn it.
/// \param codec    makes tokens of the text; null where it is numbers of tokens, each of which then counts as a byte
/// \param stored   of the run to go on with, or null
/// \param usual    what is trained with unless something else is chosen; the warm-up is a tenth of the steps, at most 100
/// \param llama    of the model
TrainingPlan make_plan(const RunOptions& options, const RunRecord& record, const TextCodec* codec,
                       const weft::CheckpointState* stored, const weft::TrainingOptions& usual,
                       const weft::LlamaConfig& llama);

}  // namespace apps
