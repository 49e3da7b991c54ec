// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small PNA attention layers, and the rotary tables that the tests run them with.
#pragma once

#include <cmath>
#include <vector>

#include "weft/attention/llama_attention_pna.hpp"

#include "ops/op_checks.hpp"

namespace weft::testing {

using Rows = Shape<Dyn, Dyn, Dyn>;

template <class T = float>
using PNA = LlamaAttentionPNA<Dyn, Dyn, Dyn, Dyn, Dyn, T>;
template <class T = float>
using PNA_LM = LlamaAttentionPNA_LM<Dyn, Dyn, Dyn, Dyn, Dyn, T>;

inline LlamaAttentionPNAOptions small() {
  LlamaAttentionPNAOptions options;
  options.multiplier = 1.6;  // int(1.6 * 2) = 3
  options.hidden_size = 6;
  options.heads = 4;
  options.key_value_heads = 2;
  options.head_dim = 2;
  return options;
}

/// Rotary tables of positions [first, first + tokens).
template <class T>
struct Positions {
  Tensor<T, Rows> cos, sin;

  explicit Positions(Index tokens, Index first = 0) : cos(Rows(1, tokens, 2)), sin(Rows(1, tokens, 2)) {
    for (Index i = 0; i < tokens; ++i) {
      for (Index c = 0; c < 2; ++c) {
        cos(0, i, c) = static_cast<T>(std::cos(first + i));
        sin(0, i, c) = static_cast<T>(std::sin(first + i));
      }
    }
  }
  AttentionInputs<T> inputs() const {
    AttentionInputs<T> result;
    result.cos = cos;
    result.sin = sin;
    result.causal = true;
    return result;
  }
};

/// The values of `layer` at positions [0, tokens).
template <class Layer>
std::vector<float> run(const Layer& layer, const Tensor<float, Rows>& x) {
  const Positions<float> positions(x.extent(1));
  Inference inference;
  return to_vector(layer(inference, x, positions.inputs()));
}

}  // namespace weft::testing
