// SPDX-License-Identifier: Apache-2.0
/// \file
/// The run-time choices of GIN attention.
#pragma once

#include <cmath>

#include "weft/attention/attention_inputs.hpp"
#include "weft/attention/sharpening_init.hpp"
#include "weft/layers/extent_rules.hpp"
#include "weft/ops/adjacency/adjacency_input.hpp"
#include "weft/ops/adjacency/threshold_mode.hpp"
#include "weft/ops/gin/gin.hpp"

namespace weft {

/// The adjacencies that a type of `LlamaAttentionGIN` can make.
enum class GINAdjacency {
  any,      ///< whatever its options ask for
  softmax,  ///< the softmax of scores alone: `LlamaAttentionGINOptions::is_plain`
};

/// The run-time choices of `LlamaAttentionGIN`; names after the reference's `GNNConfig`. Extents are needed only where
/// the type leaves them `Dyn`.
struct LlamaAttentionGINOptions {
  bool bias = false;           ///< `attention_bias`: on q_proj, k_proj and o_proj
  bool o_proj_at_end = false;  ///< `attention_GIN_MLP_o_proj_at_end`
  double multiplier = 2;       ///< `attention_GIN_MLP_multiplier`: hidden width of each GIN, int(multiplier * head_dim)
  double attention_dropout = 0;    ///< share of the weights that training drops, on a tape with dropout switched on
  double softmax_temperature = 1;  ///< `attention_GIN_MLP_GIN_softmax_temperature`: divides the masked scores
  bool use_sharpening = false;     ///< a learned factor on the masked scores
  SharpeningInit sharpening_init = SharpeningInit::value;
  double initial_sharpening_value = 1;
  double residual_epsilon_uniform_value = 0.1;  ///< first value of a parameter that the reference never reads
  bool learnable_threshold = false;             ///< `threshold.0` is a parameter
  double threshold_value = 0.2;

  /// What happens to the adjacency: `attention_GIN_MLP_GIN_threshold_mode` and its numbers.
  ThresholdOptions threshold{};

  /// `attention_GIN_MLP_GIN_use_softmax`. Without it the adjacency is the masked scores themselves, on which sharpening and
  /// temperature have no effect (quirk A10).
  bool use_softmax = true;

  /// `attention_GIN_MLP_use_scoring_fnct`: the scores come from a network over pairs of tokens. q_proj, k_proj, sharpening,
  /// temperature and the differential attention are then without effect.
  bool use_scoring_fnct = false;
  Index scoring_hidden_dim = 512;  ///< `attention_GIN_MLP_scoring_hidden_dim`

  bool use_differential_attention = false;  ///< a second adjacency is subtracted, times `lambda_param.0`
  bool differential_group_norm = false;     ///< `use_differential_attention_group_norm`: of that difference

  /// Where the layer stands among its like, from 0: decides the first value of lambda. Needed with differential attention.
  int layer_idx = -1;

  /// Masks after sharpening and temperature, with weight 0 for masked keys and rows of zeros where all are masked
  /// (quirks A11, A12). The reference masks before.
  bool mask_after_scaling = false;

  GINUpdateOptions gin{};
  Index hidden_size = 0;
  Index heads = 0;
  Index key_value_heads = 0;
  Index head_dim = 0;

  /// λ₀ = 0.8 - 0.6 exp(-0.3 (layer_idx - 1)), from which lambda starts.
  double lambda_init() const { return 0.8 - 0.6 * std::exp(-0.3 * (layer_idx - 1)); }

  /// Softmax of scores and nothing more: the adjacency need not be made.
  constexpr bool is_plain() const {
    return use_softmax && !use_scoring_fnct && !use_differential_attention && !mask_after_scaling &&
           threshold.mode == ThresholdMode::none;
  }

  /// What becomes of the scores.
  AdjacencyRules adjacency_rules() const {
    AdjacencyRules rules;
    rules.weights = use_softmax || use_scoring_fnct ? AdjacencyWeights::softmax : AdjacencyWeights::raw;
    rules.threshold = threshold;
    rules.mask_after_scaling = mask_after_scaling;
    return rules;
  }

  /// Whether no row of the adjacency depends on later tokens: those of `top_k` and of a normed difference do.
  bool incremental() const {
    const bool normed = use_differential_attention && differential_group_norm && !use_scoring_fnct && use_softmax;
    return is_incremental(threshold.mode) && !normed;
  }
};

/// An error unless the choices can be computed together. Extents are checked by the layer.
inline void validate_gin_attention(const LlamaAttentionGINOptions& options) {
  validate_threshold("LlamaAttentionGIN", options.threshold);
  if (!(options.softmax_temperature > 0)) {
    fail(concat("LlamaAttentionGIN: softmax_temperature must be positive, found ", options.softmax_temperature));
  }
  if (options.use_differential_attention && options.layer_idx < 0) {
    fail(concat("LlamaAttentionGIN: differential attention needs layer_idx, from which lambda starts; found ",
                options.layer_idx));
  }
  if (options.use_scoring_fnct && options.scoring_hidden_dim < 1) {
    fail(concat("LlamaAttentionGIN: scoring_hidden_dim must be positive, found ", options.scoring_hidden_dim));
  }
}

/// An error unless a layer with these choices can follow the masks and the cache of a call.
template <class T>
void refuse_unsupported(const LlamaAttentionGINOptions& options, const AttentionInputs<T>& inputs) {
  const bool sums_scores =
      !options.use_softmax && !options.use_scoring_fnct && options.threshold.mode == ThresholdMode::none;
  if (sums_scores && inputs.masked()) {
    fail(
        "LlamaAttentionGIN: without softmax, threshold mode \"none\" would sum values with the mask itself; choose "
        "another mode, or use_softmax");
  }
  if (inputs.cache && !options.incremental()) {
    fail(
        "LlamaAttentionGIN: threshold mode \"top_k\" and the group norm of differential attention look at later "
        "tokens; decode without a cache");
  }
}

namespace detail {

/// The reference masks with -1e9 above the diagonal when it is given no mask; those weights are exactly 0.
template <class T>
AttentionInputs<T> causal_by_default(AttentionInputs<T> inputs) {
  if (inputs.additive_mask.data() == nullptr) inputs.causal = true;
  return inputs;
}

}  // namespace detail

/// The options with every extent filled in from the type, or an error where the layer cannot be.
template <auto HiddenSize, auto Heads, auto KeyValueHeads, auto HeadDim, GINAdjacency Adjacency>
LlamaAttentionGINOptions resolve_gin_attention(LlamaAttentionGINOptions options) {
  options.heads = resolve_extent<Heads>(options.heads, "LlamaAttentionGIN: heads");
  options.key_value_heads =
      resolve_extent<KeyValueHeads>(options.key_value_heads, "LlamaAttentionGIN: key_value_heads");
  options.head_dim = resolve_extent<HeadDim>(options.head_dim, "LlamaAttentionGIN: head_dim");
  options.hidden_size = resolve_extent<HiddenSize>(options.hidden_size, "LlamaAttentionGIN: hidden_size");
  if (options.key_value_heads * options.head_dim != options.hidden_size) {
    fail(
        concat("LlamaAttentionGIN: key_value_heads * head_dim must equal hidden_size, because the values are slices of "
               "the input, found ",
               options.key_value_heads, " * ", options.head_dim, " and ", options.hidden_size));
  }
  expect_attention_heads("LlamaAttentionGIN", options.heads, options.key_value_heads, options.head_dim);
  validate_gin_attention(options);
  if (Adjacency == GINAdjacency::softmax && !options.is_plain()) {
    fail(
        "LlamaAttentionGIN: this type's adjacency is the softmax of scores and nothing more (GINAdjacency::softmax); "
        "another choice needs GINAdjacency::any");
  }
  return options;
}

}  // namespace weft
