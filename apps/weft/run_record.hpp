// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a training run needs to go on beside its checkpoint: `run.json` in its folder.
#pragma once

#include <string>

namespace apps {

struct RunRecord {
  double validation = 0.05;  ///< share of the text
  std::string model{};       ///< folder of the model that is fine-tuned; empty: a new one
  std::string method{};      ///< of the fine-tuning
};

/// Raises Error where the folder has none, or something else under this name.
RunRecord read_run_record(const std::string& folder);

void write_run_record(const RunRecord& record, const std::string& folder);

}  // namespace apps
