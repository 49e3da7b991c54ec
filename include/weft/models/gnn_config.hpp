// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a graph-aware Llama has beyond a Llama: the fields of the reference's `GNNConfig` that this library reads.
#pragma once

#include "weft/attention/sharpening_init.hpp"
#include "weft/models/enum_names.hpp"
#include "weft/ops/adjacency/threshold_mode.hpp"

namespace weft {

/// Which attention a decoder layer has; `none` is Hugging Face's `LlamaAttention`.
enum class GNNFromAttention {
  none,
  LlamaAttention_Original,
  LlamaAttentionGIN,
  LlamaAttentionPNA,
  LlamaAttentionPNA_LM,
  CG_Attention,
  CG_Attention_Interpolate
};
template <>
inline constexpr std::array<std::string_view, 7> enum_names<GNNFromAttention>{
    "none",         "LlamaAttention_Original", "LlamaAttentionGIN", "LlamaAttentionPNA", "LlamaAttentionPNA_LM",
    "CG_Attention", "CG_Attention_Interpolate"};

/// The feed-forward block of a decoder layer.
enum class MLPType {
  standard_MLP,
  linear_MLP,
  shallow_MLP,
  no_MLP,
  LlamaMLP_HalfwayGIN,
  LlamaMLP_HalfwayGIN_MultiHop,
  LlamaMLP_HalfwayGIN_MultiAggregation
};
template <>
inline constexpr std::array<std::string_view, 7> enum_names<MLPType>{"standard_MLP",
                                                                     "linear_MLP",
                                                                     "shallow_MLP",
                                                                     "no_MLP",
                                                                     "LlamaMLP_HalfwayGIN",
                                                                     "LlamaMLP_HalfwayGIN_MultiHop",
                                                                     "LlamaMLP_HalfwayGIN_MultiAggregation"};

template <>
inline constexpr std::array<std::string_view, 14> enum_names<ThresholdMode>{"none",
                                                                            "silu",
                                                                            "relu",
                                                                            "softplus",
                                                                            "sharp_softplus",
                                                                            "sigmoid_elementwise",
                                                                            "flowthreshold",
                                                                            "binary",
                                                                            "top_k",
                                                                            "scaled_topk_causal_4d",
                                                                            "silu+binary",
                                                                            "silu_below_binary_above",
                                                                            "relu_below_binary_above",
                                                                            "softplus_below_binary_above"};

template <>
inline constexpr std::array<std::string_view, 2> enum_names<SharpeningInit>{"value", "random"};

/// The GIN layer inside the attention; `standard` is "default" in files. The reference lacks the other one.
enum class GINMode { standard, GINLayer_Var_A };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<GINMode>{"default", "GINLayer_Var_A"};

/// The sparse graph network beside the attention: none, one for all heads, or one for each head.
enum class GNNMode { none, single, per_head };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<GNNMode>{"none", "single", "per_head"};

/// Where that network stands. `parallel_GNN_MLP` changes the layer even without a network.
enum class GNNLogic { before_MLP, after_MLP, parallel_GNN_MLP };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<GNNLogic>{"before_MLP", "after_MLP", "parallel_GNN_MLP"};

/// Graph attention by numbers, with the names, order and defaults of the reference (lamm-mit/Graph-Aware-Transformers,
/// `gnn_config.py`; Buehler, arXiv 2501.02393). Fields of the reference that have no effect on what is implemented here
/// are not members; `PretrainedConfig` in io keeps them for the round trip.
///
///     static constexpr weft::GNNConfig gnn{.use_GNN_from_attention = weft::GNNFromAttention::LlamaAttentionGIN,
///                                          .attention_GIN_MLP_multiplier = 0.5,
///                                          .use_sharpening = true};
struct GNNConfig {
  GNNFromAttention use_GNN_from_attention = GNNFromAttention::none;

  /// Initial value of `residual_epsilon.0`, a parameter of GIN attention that the reference stores and never uses.
  double residual_epsilon_uniform_value = 0.1;

  /// Width of the MLP inside a GIN layer over its input's; see `gin_hidden_dim`.
  double attention_GIN_MLP_multiplier = 2.0;

  /// The softmax sees alpha * scores / temperature; alpha, a parameter iff `use_sharpening`, starts here.
  double initial_sharpening_value = 1.0;
  bool use_sharpening = false;

  MLPType MLP_type = MLPType::standard_MLP;

  /// The threshold is a parameter, `threshold.0` (stored in every mode, used in those that have a threshold).
  bool attention_GIN_MLP_GIN_learnable_threshold = false;
  double attention_GIN_MLP_GIN_threshold_value = 0.2;
  ThresholdMode attention_GIN_MLP_GIN_threshold_mode = ThresholdMode::none;

  /// Weight of the binary part in the mode "silu+binary".
  double attention_GIN_MLP_GIN_binary_scale = 1.0;
  /// Share of the tokens that the two top-k modes keep.
  double attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length = 0.1;

  /// Width of the scoring MLP; see `attention_GIN_MLP_use_scoring_fnct`.
  int attention_GIN_MLP_scoring_hidden_dim = 512;

  /// The adjacency is the softmax of the scores; without it the scores themselves.
  bool attention_GIN_MLP_GIN_use_softmax = true;
  double attention_GIN_MLP_GIN_softmax_temperature = 1.0;

  /// Steepness of the modes "sharp_softplus" and "sigmoid_elementwise".
  double attention_GIN_MLP_GIN_sharp_softplus_beta = 10.0;
  GINMode attention_GIN_MLP_GIN_mode = GINMode::standard;

  /// Group norm over the difference of the two adjacencies; see `use_differential_attention`.
  bool use_differential_attention_group_norm = false;

  /// Scores from an MLP over pairs of tokens instead of query times key.
  bool attention_GIN_MLP_use_scoring_fnct = false;

  SharpeningInit sharpening_value_init = SharpeningInit::value;

  /// The adjacency is a difference, softmax(q k) - lambda softmax(q2 k2).
  bool use_differential_attention = false;

  /// An output projection after the GIN layers of the heads.
  bool attention_GIN_MLP_o_proj_at_end = false;

  GNNMode gnn_mode = GNNMode::none;

  /// The residual stream gets the layer's normed input in place of the attention's output.
  bool use_original_hidden_states = false;

  GNNLogic gnn_logic = GNNLogic::before_MLP;

  /// Dropout inside every GIN layer. Not a field of the reference's constructor, which refuses files that hold it; there it
  /// is 0.1 unless assigned.
  double dropout_rate = 0.1;

  /// Width of the MLP inside the GIN layer of a head: rounded down, as the reference does.
  constexpr int gin_hidden_dim(int head_size) const {
    return static_cast<int>(static_cast<double>(head_size) * attention_GIN_MLP_multiplier);
  }

  constexpr bool operator==(const GNNConfig&) const = default;
};

}  // namespace weft
