// SPDX-License-Identifier: Apache-2.0
/// \file
/// The run-time choices of the feed-forward block with several aggregates.
#pragma once

#include "weft/ops/activation/activation_kind.hpp"
#include "weft/ops/offset_attention/offset_attention_kernels.hpp"

namespace weft {

/// What the "max" aggregate of `LlamaMLP_HalfwayGIN_MultiAggregation` is.
enum class MultiAggregationMax {
  self,       ///< the node's own row: the reference takes the maximum of copies of it (quirk F6)
  neighbours  ///< the largest value of each channel among {j : A_ij > 0}, 0 without any
};

/// What happens to negative entries of the adjacency, whose logarithm does not exist (quirk F5).
enum class NegativeWeights {
  refuse,  ///< an error
  clamp    ///< they count as 0 in the logarithm, and in the maximum; the sum takes them as they are
};

/// The run-time choices of `LlamaMLP_HalfwayGIN_MultiAggregation`; the defaults are the reference's.
struct MultiAggregationOptions {
  Activation activation = Activation::silu;  ///< `hidden_act`
  bool bias = false;                         ///< `mlp_bias`; the query and key projections never have one
  FutureMask multiagg_future_mask = FutureMask::soft_log;
  MultiAggregationMax multiagg_max = MultiAggregationMax::self;
  NegativeWeights negative_weights = NegativeWeights::refuse;
  Index hidden_size = 0;
  Index intermediate_size = 0;
  Index heads = 0;
};

}  // namespace weft
