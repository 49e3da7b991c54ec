// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small PNA attention layers, and how the tests run them.
#pragma once

#include <vector>

#include "weft/attention/llama_attention_pna.hpp"

#include "attention/attention_positions.hpp"
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

/// The values of `layer` at positions [0, tokens).
template <class Layer>
std::vector<float> run(const Layer& layer, const Tensor<float, Rows>& x) {
  const AttentionPositions<float> positions(x.extent(1), 2);
  Inference inference;
  return to_vector(layer(inference, x, positions.inputs()));
}

}  // namespace weft::testing
