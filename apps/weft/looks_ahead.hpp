// SPDX-License-Identifier: Apache-2.0
/// \file
/// Whether a model sees what it is to predict.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "weft/autograd/inference.hpp"
#include "weft/tensor/tensor.hpp"

namespace apps {

/// Whether the scores before the last of these tokens change with it. A model that is incremental cannot; others are tried.
template <class Model>
bool looks_ahead(const Model& model, std::span<const std::int32_t> tokens) {
  if (model.incremental()) return false;
  const auto scores = [&](const std::vector<std::int32_t>& text) {  // of all tokens but the last
    using TextShape = weft::Shape<weft::Dyn, weft::Dyn>;
    const TextShape shape(1, static_cast<weft::Index>(text.size()));
    weft::Inference inference;
    const auto logits = model(inference, weft::TensorView<const std::int32_t, TextShape>(text.data(), shape));
    return std::vector<float>(logits.data(), logits.data() + logits.size() - model.vocab_size());
  };
  std::vector<std::int32_t> text(tokens.begin(), tokens.end());
  const std::vector<float> before = scores(text);
  text.back() = static_cast<std::int32_t>((text.back() + 1) % model.vocab_size());
  const std::vector<float> after = scores(text);
  float largest = 0, difference = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    largest = std::max(largest, std::abs(before[i]));
    difference = std::max(difference, std::abs(before[i] - after[i]));
  }
  constexpr float rounding = 4e-6F;
  return difference > rounding * largest;
}

}  // namespace apps
