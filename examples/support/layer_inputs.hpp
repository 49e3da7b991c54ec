// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the examples of docs/layers.md are given, and the check of what they return.
#pragma once

#include <algorithm>
#include <cmath>
#include <iostream>
#include <string_view>
#include <vector>

#include "weft/attention/attention_inputs.hpp"
#include "weft/layers/rotary_embedding.hpp"
#include "weft/tensor/rng.hpp"

/// [batch, tokens, hidden].
using Hidden = weft::Tensor<float, weft::Shape<2, 4, 8>>;

/// [batch, heads, tokens, tokens].
using Weights = weft::Tensor<float, weft::Shape<2, 2, 4, 4>>;

inline Hidden random_hidden(const weft::Rng& rng) {
  Hidden x;
  for (weft::Index i = 0; i < x.size(); ++i)
    x.data()[i] = static_cast<float>(rng.normal(static_cast<std::uint64_t>(i)));
  return x;
}

/// Every token gives the same weight to itself and to each earlier one.
inline Weights even_weights() {
  Weights weights;
  for (weft::Index i = 0; i < weights.size(); ++i) {
    const weft::Index row = i / 4 % 4;
    weights.data()[i] = i % 4 <= row ? 1.0F / static_cast<float>(row + 1) : 0.0F;
  }
  return weights;
}

/// Rotary tables for heads of 4 channels.
struct RotaryTables {
  using Table = weft::Tensor<float, weft::Shape<weft::Dyn, weft::Dyn, weft::Dyn>>;
  Table cos{Table::Shape(1, 4, 4)};
  Table sin{Table::Shape(1, 4, 4)};

  RotaryTables() {
    const std::vector<weft::Index> positions{0, 1, 2, 3};
    weft::RotaryEmbedding(4).fill<float>(positions, cos.data(), sin.data());
  }

  /// Causal attention over one text a row.
  weft::AttentionInputs<float> inputs() const {
    weft::AttentionInputs<float> inputs;
    inputs.cos = cos;
    inputs.sin = sin;
    inputs.causal = true;
    return inputs;
  }
};

/// Says what an example has computed and counts the results that are not finite.
class Results {
 public:
  template <class Y>
  void show(std::string_view name, const Y& y) {
    const bool finite = std::all_of(y.data(), y.data() + y.size(), [](float value) { return std::isfinite(value); });
    std::cout << name << "\t" << y.shape().text() << (finite ? "" : "\tnot finite") << "\n";
    if (!finite) ++failed_;
  }

  /// The exit status of the program.
  int status() const { return failed_ == 0 ? 0 : 1; }

 private:
  int failed_ = 0;
};
