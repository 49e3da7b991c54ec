// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `pna_attention` and its kernels are told.
#pragma once

#include <algorithm>

#include "weft/ops/adjacency/adjacency_input.hpp"

namespace weft {

/// Which four aggregates a node gets, in this order.
enum class PNAAggregates {
  sum_mean_max_variance,  ///< LlamaAttentionPNA; the maximum is taken channel by channel
  mean_max_variance_min   ///< LlamaAttentionPNA_LM; the neighbours with the longest and the shortest vector
};

/// What the maximum of `sum_mean_max_variance` is.
enum class PNAMax {
  self,       ///< the node's own values, as in the reference, which expands along the wrong axis (quirk A19)
  neighbours  ///< the largest value of each channel among {j : P_ij > 0}
};

/// The maximum of a node without positive entry (quirk A20).
enum class PNAEmptyMax {
  guard,     ///< 0
  minus_inf  ///< -infinity, as in the reference: the row becomes NaN, and every row of the next layer
};

/// Which vector a node takes that has entries, but none above the threshold (quirk A25).
enum class PNAFallback {
  first_token,  ///< that of the first token (of its own sequence), as in the reference
  self          ///< its own
};

/// How neighbours are aggregated; the defaults are the reference's but for `empty_max`.
struct PNAAttentionRules {
  PNAAggregates aggregates = PNAAggregates::sum_mean_max_variance;
  PNAMax max = PNAMax::self;
  PNAEmptyMax empty_max = PNAEmptyMax::guard;
  PNAFallback fallback = PNAFallback::first_token;

  /// Lets a threshold below 0 select tokens whose entry is 0, later ones included (quirk A26). Otherwise it counts as 0.
  bool negative_threshold = false;

  bool selects() const { return aggregates == PNAAggregates::mean_max_variance_min; }
  /// Where in the four parts of a node the aggregates lie.
  Index mean_part() const { return selects() ? 0 : 1; }
  Index max_part() const { return selects() ? 1 : 2; }
  Index variance_part() const { return selects() ? 2 : 3; }
};

/// The problem as kernels see it. `moments` are the values and their squares, [batch, keys, kv_heads, 2, dim].
template <class T>
struct PNAInput {
  kernels::AdjacencyInput<T> adjacency;
  PNAAttentionRules rules;
  Index dim;
  kernels::AttentionRows<const T> v;
  const T* moments;
  const T* norms;  ///< lengths of the values, [batch, kv_heads, keys]; null where nothing is selected
  T* from;         ///< which token the extremes come from, see `from_size`

  const kernels::AttentionSize& size() const { return adjacency.size(); }
  Index moment_row() const { return size().kv_heads * 2 * dim; }

  /// Under a plain causal softmax every entry up to the diagonal is positive, and the maximum over neighbours runs along the
  /// tokens.
  bool runs() const {
    const auto& mask = adjacency.attention.mask;
    return !rules.selects() && rules.max == PNAMax::neighbours &&
           adjacency.rules.weights == AdjacencyWeights::softmax &&
           adjacency.rules.threshold.mode == ThresholdMode::none && mask.causal && mask.key_valid == nullptr &&
           mask.additive == nullptr && mask.first_key == nullptr && !adjacency.attention.dropout;
  }

  /// Numbers in `from`: selected tokens [batch, queries, heads, 2]; the tokens of all maxima [batch, queries, heads, dim]; or
  /// running maxima and their tokens, [batch, keys, kv_heads, dim] each.
  Index from_size() const {
    const auto& s = size();
    if (runs()) return 2 * s.batch * s.keys * s.kv_heads * dim;
    if (rules.selects()) return s.batch * s.queries * s.heads * 2;
    return rules.max == PNAMax::neighbours ? s.batch * s.queries * s.heads * dim : 0;
  }

  /// The threshold that entries of neighbours exceed.
  T valid_above() const { return rules.negative_threshold ? adjacency.threshold : std::max(T{0}, adjacency.threshold); }
};

}  // namespace weft
