// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the fields of a GNNConfig choose among, with the names that files use.
#pragma once

#include <array>

#include "weft/attention/sharpening_init.hpp"
#include "weft/models/enum_names.hpp"
#include "weft/ops/adjacency/threshold_mode.hpp"
#include "weft/ops/graph_adjacency/graph_adjacency_options.hpp"
#include "weft/ops/pna_aggregate/pna_rules.hpp"
#include "weft/perceiver/perceiver_options.hpp"

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

/// The kind of layer of the sparse graph network. `causal_gnn`, the reference's default, is none: a network cannot be built
/// of it (quirk C1).
enum class GNNType { causal_gnn, causal_gin, causal_gcn, causal_pna, causal_recombination };
template <>
inline constexpr std::array<std::string_view, 5> enum_names<GNNType>{"causal_gnn", "causal_gin", "causal_gcn",
                                                                     "causal_pna", "causal_recombination"};

/// The activation of the sparse graph network; `gelu` is the erf form, `prelu` has a learned slope.
enum class GNNActivation { relu, tanh, gelu, prelu };
template <>
inline constexpr std::array<std::string_view, 4> enum_names<GNNActivation>{"relu", "tanh", "gelu", "prelu"};

template <>
inline constexpr std::array<std::string_view, 4> enum_names<AdjacencyMethod>{"mean", "sum", "learnable_aggregate",
                                                                             "threshold_any"};

/// The last activation of `learnable_aggregate`.
enum class AggregateActivation { softmax, sigmoid };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<AggregateActivation>{"softmax", "sigmoid"};

template <>
inline constexpr std::array<std::string_view, 4> enum_names<DistanceScaling>{"sigmoid", "exp", "power", "linear"};

template <>
inline constexpr std::array<std::string_view, 5> enum_names<PNAAggregator>{"mean", "min", "max", "sum", "std"};

template <>
inline constexpr std::array<std::string_view, 3> enum_names<PNAScaler>{"identity", "amplification", "attenuation"};

template <>
inline constexpr std::array<std::string_view, 5> enum_names<AdjacencyInterpolation>{"nearest", "bilinear", "bicubic",
                                                                                    "area", "nearest-exact"};

/// Whether a feed-forward block works on the attention's weights.
constexpr bool uses_adjacency(MLPType type) {
  return type == MLPType::LlamaMLP_HalfwayGIN || type == MLPType::LlamaMLP_HalfwayGIN_MultiHop ||
         type == MLPType::LlamaMLP_HalfwayGIN_MultiAggregation;
}

}  // namespace weft
