// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a model makes of a golden file's tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weft/io/pretrained.hpp"

#include "parity/golden_case.hpp"

namespace weft::testing {

/// The logits of all tokens, under the file's mask where it has one.
template <class Config>
std::vector<float> golden_logits(const std::string& folder, const parity::GoldenCase& golden) {
  const auto model = load_pretrained<Config>(folder);
  const auto ids = golden.tensor<std::int64_t, Dyn, Dyn>("in.input_ids");
  std::vector<std::int32_t> mask;
  if (golden.has("in.attention_mask")) {
    const auto given = golden.tensor<std::int64_t, Dyn, Dyn>("in.attention_mask");
    mask.assign(given.span().begin(), given.span().end());
  }
  Inference inference;
  const auto logits =
      model(inference, ids, {.attention_mask = mask.empty() ? nullptr : mask.data(), .position_ids = {}});
  return {logits.data(), logits.data() + logits.size()};
}

}  // namespace weft::testing
