// SPDX-License-Identifier: Apache-2.0
/// \file
/// The run-time choices of PNA attention.
#pragma once

#include "weft/ops/adjacency/threshold_mode.hpp"
#include "weft/ops/pna/pna_input.hpp"

namespace weft {

/// The run-time choices of `LlamaAttentionPNA` and `LlamaAttentionPNA_LM`; names after the reference's `GNNConfig`. Extents
/// are needed only where the type leaves them `Dyn`.
struct LlamaAttentionPNAOptions {
  bool bias = false;      ///< `attention_bias`: on q_proj, k_proj, v_proj and o_proj
  bool mlp_bias = false;  ///< on the networks that combine the aggregates

  /// `attention_GIN_MLP_multiplier`: their hidden width is int(multiplier * head_dim). The reference's PNA_LM refuses a
  /// multiplier that is no int (quirk A27); here both round down.
  double multiplier = 2;

  bool use_softmax = true;  ///< `attention_GIN_MLP_GIN_use_softmax`

  /// `attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax`: without softmax the weights are max(scores, 0), not the scores.
  /// PNA_LM always takes the ReLU.
  bool use_ReLU_instead_of_softmax = true;

  double softmax_temperature = 1;               ///< divides the masked scores
  double attention_dropout = 0;                 ///< share of the weights that training drops, before the threshold mode
  double residual_epsilon_uniform_value = 0.1;  ///< first value of a parameter without effect
  bool learnable_threshold = false;             ///< `threshold.0` is a parameter
  double threshold_value = 0.2;

  /// What happens to the weights before they are aggregated. The steepness of sigmoid_elementwise is always 10, and in
  /// PNA_LM that of sharp_softplus too (quirk A28).
  ThresholdOptions threshold{};

  PNAMax pna_max = PNAMax::self;                           ///< of PNA
  PNAEmptyMax pna_empty_max = PNAEmptyMax::guard;          ///< of PNA
  PNAFallback pna_lm_fallback = PNAFallback::first_token;  ///< of PNA_LM
  bool pna_lm_negative_threshold = false;                  ///< of PNA_LM: see `PNAAttentionRules::negative_threshold`

  Index hidden_size = 0;
  Index heads = 0;
  Index key_value_heads = 0;
  Index head_dim = 0;
};

/// An error unless the choices can be computed together. Extents are checked by the layer.
inline void validate_pna_attention(std::string_view owner, PNAAggregates aggregates,
                                   const LlamaAttentionPNAOptions& options) {
  validate_threshold(owner, options.threshold);
  if (!(options.softmax_temperature > 0)) {
    fail(concat(owner, ": softmax_temperature must be positive, found ", options.softmax_temperature));
  }
  if (!(options.attention_dropout >= 0 && options.attention_dropout < 1)) {
    fail(concat(owner, ": attention_dropout must be in [0, 1), found ", options.attention_dropout));
  }
  if (aggregates == PNAAggregates::sum_mean_max_variance) {
    if (!options.use_softmax && !options.use_ReLU_instead_of_softmax && options.threshold.mode == ThresholdMode::none) {
      fail(concat(owner,
                  ": without softmax and ReLU, threshold mode \"none\" would sum values with the mask itself; choose "
                  "another mode, or one of the two"));
    }
  } else if (options.threshold_value < 0 && !options.pna_lm_negative_threshold) {
    fail(concat(
        owner, ": threshold_value must not be negative, found ", options.threshold_value,
        ": tokens without an edge, later ones included, would be selected (pna_lm_negative_threshold allows it)"));
  }
}

}  // namespace weft
