// SPDX-License-Identifier: Apache-2.0
/// \file
/// The scoring function of GIN attention: a network over pairs of tokens.
#pragma once

#include <utility>

#include "weft/attention/remembered_rows.hpp"
#include "weft/layers/linear.hpp"
#include "weft/ops/adjacency/adjacency_source.hpp"
#include "weft/ops/linear_columns/linear_columns.hpp"

namespace weft {

/// s[n, i, j] = W₂ silu(W₁ [xᵢ; xⱼ] + b₁) + b₂, one score for each head; i is the query. Parameters:
/// `mlp_scoring.0.{weight [hidden, 2 * hidden_size], bias}`, `mlp_scoring.2.{weight [heads, hidden], bias}`.
template <auto HiddenSize, auto Heads, class T = float, class DeviceType = Cpu>
class GINScoring {
 public:
  Linear<multiply_extents<2, HiddenSize>(), Dyn, T, DeviceType> first;
  Linear<Dyn, Heads, T, DeviceType> second;

  GINScoring(Index hidden_size, Index heads, Index scoring_hidden)
      : first(true, 2 * hidden_size, scoring_hidden), second(true, scoring_hidden, heads) {}

  /// The two halves of the first layer on tokens: W₁ [xᵢ; xⱼ] + b₁ is the first for i plus the second for j.
  template <class Context, class X>
  auto on_tokens(Context& context, const X& x) const {
    return std::pair(linear_columns(context, x, first.weight, 0, *first.bias),
                     linear_columns(context, x, first.weight, x.extent(2)));
  }

  /// The source of their softmax as an adjacency. New tokens go to the cache, if there is one.
  template <class Context, class X, class Threshold = None>
  auto adjacency(Context& context, const X& x, const CachedKeysValues<T>& cache, const AdjacencyOptions<T>& options,
                 const Threshold& threshold = none) const {
    const auto [u, v] = on_tokens(context, x);
    const auto left = rows_operand(context, u);
    const auto right = remembered_keys(context, v, cache);
    return scoring_adjacency(context, left, right, second.weight, *second.bias, options, threshold);
  }

  void initialize(Rng& rng, double standard_deviation) {
    first.initialize(rng, standard_deviation);
    second.initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    decltype(GINScoring::first)::visit_values(self.first, visit, prefix + "mlp_scoring.0.");
    decltype(GINScoring::second)::visit_values(self.second, visit, prefix + "mlp_scoring.2.");
  }
};

}  // namespace weft
