// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the tests of processed adjacencies share: their modes and options.
#pragma once

#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/adjacency/aggregate_adjacency.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

namespace weft::testing {

using Dynamic3 = Shape<Dyn, Dyn, Dyn>;

/// Modes with a derivative almost everywhere, and those without.
inline constexpr ThresholdMode kSmoothModes[] = {ThresholdMode::none,
                                                 ThresholdMode::silu,
                                                 ThresholdMode::relu,
                                                 ThresholdMode::softplus,
                                                 ThresholdMode::sharp_softplus,
                                                 ThresholdMode::sigmoid_elementwise,
                                                 ThresholdMode::flowthreshold,
                                                 ThresholdMode::silu_plus_binary,
                                                 ThresholdMode::silu_below_binary_above,
                                                 ThresholdMode::relu_below_binary_above,
                                                 ThresholdMode::softplus_below_binary_above};
inline constexpr ThresholdMode kSteps[] = {ThresholdMode::binary, ThresholdMode::top_k,
                                           ThresholdMode::scaled_topk_causal_4d};

/// A causal adjacency with a number for every setting.
template <class T>
AdjacencyOptions<T> options_for(Index heads, Index kv_heads, ThresholdMode mode) {
  AdjacencyOptions<T> options;
  options.attention.heads = heads;
  options.attention.kv_heads = kv_heads;
  options.attention.scale = 0.7;
  options.attention.sharpness = 1.25;
  options.attention.mask.causal = true;
  options.rules.threshold.mode = mode;
  options.rules.threshold.top_k_fraction = 0.4;
  options.threshold = 0.3;
  return options;
}

/// P v of one pair, all arguments in the order in which gradcheck gives them.
template <class T>
auto pair_of(const AdjacencyOptions<T>& options) {
  return [options](auto& context, const auto& q, const auto& k, const auto& v, const auto& alpha, const auto& t) {
    const auto source = pair_adjacency(context, rows_operand(context, q), rows_operand(context, k), options, alpha, t);
    return aggregate_adjacency(context, source, rows_operand(context, v));
  };
}

/// A tensor without axes.
inline Tensor<double, Shape<>> number(double value) {
  Tensor<double, Shape<>> tensor;
  *tensor.data() = value;
  return tensor;
}

}  // namespace weft::testing
