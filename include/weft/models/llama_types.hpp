// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a configuration to the types of a model's parts.
#pragma once

#include <type_traits>

#include "weft/attention/any_attention.hpp"
#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_gin.hpp"
#include "weft/attention/llama_attention_pna.hpp"
#include "weft/graph/graph_adapter.hpp"
#include "weft/mlp/any_mlp.hpp"
#include "weft/mlp/llama_mlp.hpp"
#include "weft/mlp/llama_mlp_halfway_gin.hpp"
#include "weft/mlp/llama_mlp_multi_aggregation.hpp"
#include "weft/mlp/llama_mlp_multi_hop.hpp"
#include "weft/mlp/llama_simple_mlp.hpp"
#include "weft/models/causal_lm.hpp"
#include "weft/models/config_options.hpp"
#include "weft/models/decoder_layer.hpp"
#include "weft/models/graph_decoder_layer.hpp"
#include "weft/perceiver/cg_attention.hpp"
#include "weft/perceiver/cg_attention_interpolate.hpp"

namespace weft {

/// Names a model whose extents all come from a configuration at run time: `LlamaForCausalLMWithGNN<Dynamic>`.
struct Dynamic {};

namespace detail {

/// The attention of a configuration type; only the chosen kind is instantiated.
template <class Config, class T, class DeviceType>
constexpr auto attention_type() {
  constexpr LlamaConfig c = Config::llama;
  constexpr GNNFromAttention kind = Config::gnn.use_GNN_from_attention;
  constexpr int H = c.hidden_size;
  constexpr int heads = c.num_attention_heads;
  constexpr int width = Config::gnn.gin_hidden_dim(c.head_size());
  if constexpr (kind == GNNFromAttention::LlamaAttentionGIN) {
    constexpr GINAdjacency adjacency = gin_adjacency(Config::llama, Config::gnn);
    return std::type_identity<
        LlamaAttentionGIN<H, heads, c.kv_heads(), c.head_size(), width, T, DeviceType, adjacency>>();
  } else if constexpr (kind == GNNFromAttention::LlamaAttentionPNA) {
    return std::type_identity<LlamaAttentionPNA<H, heads, c.kv_heads(), c.head_size(), width, T, DeviceType>>();
  } else if constexpr (kind == GNNFromAttention::LlamaAttentionPNA_LM) {
    return std::type_identity<LlamaAttentionPNA_LM<H, heads, c.kv_heads(), c.head_size(), width, T, DeviceType>>();
  } else if constexpr (kind == GNNFromAttention::CG_Attention) {
    return std::type_identity<CG_Attention<H, heads, T, DeviceType>>();
  } else if constexpr (kind == GNNFromAttention::CG_Attention_Interpolate) {
    return std::type_identity<CG_Attention_Interpolate<H, heads, T, DeviceType>>();
  } else {
    return std::type_identity<LlamaAttention<H, heads, c.kv_heads(), c.head_size(), T, DeviceType>>();
  }
}

/// The feed-forward block of a configuration type; only the chosen kind is instantiated.
template <class Config, class T, class DeviceType>
constexpr auto mlp_type() {
  constexpr LlamaConfig c = Config::llama;
  constexpr MLPType kind = Config::gnn.MLP_type;
  constexpr int H = c.hidden_size;
  constexpr int I = c.intermediate_size;
  constexpr int heads = c.num_attention_heads;
  if constexpr (kind == MLPType::linear_MLP) {
    return std::type_identity<LlamaSimpleMLP<H, T, DeviceType>>();
  } else if constexpr (kind == MLPType::shallow_MLP) {
    return std::type_identity<ShallowLlamaMLP<H, I, T, DeviceType>>();
  } else if constexpr (kind == MLPType::no_MLP) {
    return std::type_identity<NoMLP>();
  } else if constexpr (kind == MLPType::LlamaMLP_HalfwayGIN) {
    return std::type_identity<LlamaMLP_HalfwayGIN<H, I, heads, T, DeviceType>>();
  } else if constexpr (kind == MLPType::LlamaMLP_HalfwayGIN_MultiHop) {
    return std::type_identity<LlamaMLP_MultiHop<H, I, heads, T, DeviceType>>();
  } else if constexpr (kind == MLPType::LlamaMLP_HalfwayGIN_MultiAggregation) {
    return std::type_identity<LlamaMLP_HalfwayGIN_MultiAggregation<H, I, heads, T, DeviceType>>();
  } else {
    return std::type_identity<LlamaMLP<H, I, T, DeviceType>>();
  }
}

/// Whether a layer is attention, feed-forward block and their residuals, and nothing more.
constexpr bool is_plain_layer(const GNNConfig& gnn) {
  return gnn.gnn_mode == GNNMode::none && !gnn.use_original_hidden_states &&
         gnn.gnn_logic != GNNLogic::parallel_GNN_MLP && gnn.MLP_type != MLPType::no_MLP &&
         !uses_adjacency(gnn.MLP_type);
}

}  // namespace detail

/// The types of a model's parts, from a configuration type: a struct with `static constexpr LlamaConfig llama` and
/// `static constexpr GNNConfig gnn`.
template <class Config, class T = float, class DeviceType = Cpu>
struct LlamaTypes {
  static constexpr const LlamaConfig& llama = Config::llama;
  static constexpr const GNNConfig& gnn = Config::gnn;
  static_assert(validate(llama, gnn), "LlamaForCausalLMWithGNN<Config>: the configuration is not supported");
  static_assert(std::is_floating_point_v<T>, "LlamaForCausalLMWithGNN<Config, T>: T must be float or double");

  static constexpr int kHiddenSize = llama.hidden_size;

  using Attention = typename decltype(detail::attention_type<Config, T, DeviceType>())::type;
  using MLP = typename decltype(detail::mlp_type<Config, T, DeviceType>())::type;
  using Graph = std::conditional_t<gnn.gnn_mode == GNNMode::none, NoGraph, GraphAdapter<kHiddenSize, T, DeviceType>>;
  using Layer =
      std::conditional_t<detail::is_plain_layer(gnn), DecoderLayer<kHiddenSize, Attention, MLP, T, DeviceType>,
                         GraphDecoderLayer<kHiddenSize, Attention, MLP, Graph, T, DeviceType>>;
  using Layers = Stack<Layer, llama.num_hidden_layers>;
  using Vocabulary = Vocab<llama.vocab_size>;
};

/// The same with every kind of part to choose from and every extent known at run time.
template <class T, class DeviceType>
struct LlamaTypes<Dynamic, T, DeviceType> {
  static_assert(std::is_floating_point_v<T>, "LlamaForCausalLMWithGNN<Dynamic, T>: T must be float or double");

  using Standard = LlamaAttention<Dyn, Dyn, Dyn, Dyn, T, DeviceType>;
  using GIN = LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn, Dyn, T, DeviceType>;
  using PNA = LlamaAttentionPNA<Dyn, Dyn, Dyn, Dyn, Dyn, T, DeviceType>;
  using PNA_LM = LlamaAttentionPNA_LM<Dyn, Dyn, Dyn, Dyn, Dyn, T, DeviceType>;
  using CG = CG_Attention<Dyn, Dyn, T, DeviceType>;
  using CGInterpolate = CG_Attention_Interpolate<Dyn, Dyn, T, DeviceType>;
  using Attention = AnyAttention<Standard, GIN, PNA, PNA_LM, CG, CGInterpolate>;

  using StandardMLP = LlamaMLP<Dyn, Dyn, T, DeviceType>;
  using SimpleMLP = LlamaSimpleMLP<Dyn, T, DeviceType>;
  using ShallowMLP = ShallowLlamaMLP<Dyn, Dyn, T, DeviceType>;
  using HalfwayGIN = LlamaMLP_HalfwayGIN<Dyn, Dyn, Dyn, T, DeviceType>;
  using MultiHop = LlamaMLP_MultiHop<Dyn, Dyn, Dyn, T, DeviceType>;
  using MultiAggregation = LlamaMLP_HalfwayGIN_MultiAggregation<Dyn, Dyn, Dyn, T, DeviceType>;
  using MLP = AnyMLP<StandardMLP, SimpleMLP, ShallowMLP, NoMLP, HalfwayGIN, MultiHop, MultiAggregation>;

  using Graph = GraphAdapter<Dyn, T, DeviceType>;
  using Layer = GraphDecoderLayer<Dyn, Attention, MLP, Graph, T, DeviceType>;
  using Layers = Stack<Layer, Dyn>;
  using Vocabulary = Vocab<Dyn>;
};

}  // namespace weft
