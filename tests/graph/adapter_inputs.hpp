// SPDX-License-Identifier: Apache-2.0
/// \file
/// A small graph adapter and what it is called with, for tests.
#pragma once

#include <cmath>

#include "weft/graph/graph_adapter.hpp"

#include "support/random.hpp"

namespace weft::testing {

/// Two heads of two channels, and edges that are left out here and there.
inline GraphAdapterOptions adapter_options() {
  GraphAdapterOptions options;
  options.gnn.activation = GraphActivation::gelu;
  options.gnn.gin = {.hidden_multiplier = 1, .norm = GraphNormKind::none, .edge_weight_scaling = true};
  options.gnn.hidden_dim = 3;
  options.adjacency = {.threshold = 0.3, .epsilon_threshold = 0.4, .alpha = 3};
  options.adj_transform_hidden_dim = 5;
  options.hidden_size = 4;
  options.heads = 2;
  return options;
}

/// Attention weights: rows of a causal softmax.
template <class T>
Tensor<T, Shape<Dyn, Dyn, Dyn, Dyn>> causal_weights(Index batch, Index heads, Index tokens) {
  auto weights = random_tensor<T>(Shape<Dyn, Dyn, Dyn, Dyn>(batch, heads, tokens, tokens), 5);
  for (Index row = 0; row < batch * heads * tokens; ++row) {
    T* values = weights.data() + row * tokens;
    T sum = 0;
    for (Index j = 0; j < tokens; ++j) sum += values[j] = j > row % tokens ? T{0} : std::exp(values[j]);
    for (Index j = 0; j < tokens; ++j) values[j] /= sum;
  }
  return weights;
}

inline AttentionInputs<double> causal_inputs() {
  AttentionInputs<double> inputs;
  inputs.causal = true;
  return inputs;
}

}  // namespace weft::testing
