// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a training run needs to go on beside its checkpoint: `run.json` in its folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace apps {

struct RunRecord {
  double validation = 0.05;                ///< share of the text
  std::string model{};                     ///< the model that is fine-tuned, as it was named; empty: a new one
  std::string method{};                    ///< of the fine-tuning
  std::string folder{};                    ///< where that model is, from the root; older runs do not say it
  std::optional<std::uint64_t> weights{};  ///< `weights_digest` of it; neither do they
  std::string targets{};                   ///< --target, of adapters; neither do they
};

/// Raises Error where the folder has none, or something else under this name.
RunRecord read_run_record(const std::string& folder);

void write_run_record(const RunRecord& record, const std::string& folder);

/// A path from the root, wherever it is read.
std::string absolute_path(const std::string& path);

/// A number that the weights of a model folder have in common with copies of it, however they are cut into shards: a hash of names,
/// types and bytes, in the order of the names.
std::uint64_t weights_digest(const std::string& folder);

/// Makes the record's model one that is there, which `record.model` then names from here.
/// \param given   how the model is called on the command line of a run that goes on; empty: it is not. Raises Error for another
///                model: a folder is the same one, or has the same weights
/// \param output  the folder of the run, for messages
void find_model(RunRecord& record, const std::string& given, const std::string& output);

}  // namespace apps
