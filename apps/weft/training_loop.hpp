// SPDX-License-Identifier: Apache-2.0
/// \file
/// A run from its first step to its report, whatever is trained.
#pragma once

#include "apps/weft/run_options.hpp"

namespace apps {

/// Trains, shows how far it is, and leaves model, checkpoint and metrics in the output folder, also on Ctrl-C.
/// \param stored     of the run to go on with, or null
/// \param tokenizer  goes with the model where there is one; null: none does
/// \return           the exit code
int train(const RunOptions& options, const RunRecord& record, const weft::CheckpointState* stored,
          const weft::Tokenizer* tokenizer, TrainingRun& run);

}  // namespace apps
