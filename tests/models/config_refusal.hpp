// SPDX-License-Identifier: Apache-2.0
/// \file
/// How the tests of configurations ask whether one is refused.
#pragma once

#include <string>

#include "weft/models/config.hpp"

namespace weft::testing {

/// What `validate` says against these; empty where it accepts them.
inline std::string refusal(const LlamaConfig& llama, const GNNConfig& gnn = {}) {
  try {
    validate(llama, gnn);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

/// GIN attention, everything else as by default.
inline GNNConfig gin() { return {.use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN}; }

}  // namespace weft::testing
