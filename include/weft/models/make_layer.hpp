// SPDX-License-Identifier: Apache-2.0
/// \file
/// Decoder layers from a configuration.
#pragma once

#include <optional>

#include "weft/models/config_graph_options.hpp"
#include "weft/models/llama_types.hpp"

namespace weft {

namespace detail {

/// An attention layer of one kind, by the options that it takes.
template <class Attention>
Attention make_attention(const LlamaConfig& llama, const GNNConfig& gnn, [[maybe_unused]] int layer_idx) {
  if constexpr (std::is_constructible_v<Attention, LlamaAttentionGINOptions>) {
    return Attention(gin_options(llama, gnn, layer_idx));
  } else if constexpr (std::is_constructible_v<Attention, LlamaAttentionPNAOptions>) {
    return Attention(pna_options(llama, gnn));
  } else if constexpr (std::is_constructible_v<Attention, CGAttentionOptions>) {
    return Attention(cg_options(llama, gnn));
  } else if constexpr (std::is_constructible_v<Attention, CGAttentionInterpolateOptions>) {
    return Attention(cg_interpolate_options(llama, gnn));
  } else {
    return Attention(attention_options(llama));
  }
}

/// A feed-forward block of one kind, by the options that it takes.
template <class MLP>
MLP make_mlp(const LlamaConfig& llama, const GNNConfig& gnn) {
  if constexpr (std::is_same_v<MLP, NoMLP>) {
    return {};
  } else if constexpr (std::is_constructible_v<MLP, AdjacencyMLPOptions>) {
    return MLP(adjacency_mlp_options(llama));
  } else if constexpr (std::is_constructible_v<MLP, MultiAggregationOptions>) {
    return MLP(multi_aggregation_options(llama, gnn));
  } else if constexpr (std::is_constructible_v<MLP, Activation, bool, Index, Index>) {
    return MLP(activation_of(llama.hidden_act), llama.mlp_bias, llama.hidden_size, llama.intermediate_size);
  } else {
    return MLP(activation_of(llama.hidden_act), llama.mlp_bias, llama.hidden_size);
  }
}

template <class Types>
typename Types::Attention make_any_attention(const LlamaConfig& llama, const GNNConfig& gnn, int layer_idx) {
  switch (gnn.use_GNN_from_attention) {
    case GNNFromAttention::none:
    case GNNFromAttention::LlamaAttention_Original:
      return make_attention<typename Types::Standard>(llama, gnn, layer_idx);
    case GNNFromAttention::LlamaAttentionGIN:
      return make_attention<typename Types::GIN>(llama, gnn, layer_idx);
    case GNNFromAttention::LlamaAttentionPNA:
      return make_attention<typename Types::PNA>(llama, gnn, layer_idx);
    case GNNFromAttention::LlamaAttentionPNA_LM:
      return make_attention<typename Types::PNA_LM>(llama, gnn, layer_idx);
    case GNNFromAttention::CG_Attention:
      return make_attention<typename Types::CG>(llama, gnn, layer_idx);
    case GNNFromAttention::CG_Attention_Interpolate:
      return make_attention<typename Types::CGInterpolate>(llama, gnn, layer_idx);
  }
  fail("make_decoder_layer: not a value of GNNFromAttention");
}

template <class Types>
typename Types::MLP make_any_mlp(const LlamaConfig& llama, const GNNConfig& gnn) {
  switch (gnn.MLP_type) {
    case MLPType::standard_MLP:
      return make_mlp<typename Types::StandardMLP>(llama, gnn);
    case MLPType::linear_MLP:
      return make_mlp<typename Types::SimpleMLP>(llama, gnn);
    case MLPType::shallow_MLP:
      return make_mlp<typename Types::ShallowMLP>(llama, gnn);
    case MLPType::no_MLP:
      return NoMLP();
    case MLPType::LlamaMLP_HalfwayGIN:
      return make_mlp<typename Types::HalfwayGIN>(llama, gnn);
    case MLPType::LlamaMLP_HalfwayGIN_MultiHop:
      return make_mlp<typename Types::MultiHop>(llama, gnn);
    case MLPType::LlamaMLP_HalfwayGIN_MultiAggregation:
      return make_mlp<typename Types::MultiAggregation>(llama, gnn);
  }
  fail("make_decoder_layer: not a value of MLPType");
}

/// The graph network of a layer, where there is one.
template <class Graph>
std::optional<Graph> make_graph_network(const LlamaConfig& llama, const GNNConfig& gnn, int layer_idx) {
  std::optional<Graph> graph;
  if constexpr (!std::is_same_v<Graph, NoGraph>) {
    if (gnn.gnn_mode != GNNMode::none) graph.emplace(graph_options(llama, gnn, layer_idx));
  }
  return graph;
}

/// A configuration at run time can change numbers of a typed model, but not the kinds of its parts.
template <class Config>
void expect_kinds_of_type(const GNNConfig& gnn) {
  constexpr std::string_view wanted = "what the model's type has";
  const auto standard = [](GNNFromAttention kind) {
    return kind == GNNFromAttention::LlamaAttention_Original ? GNNFromAttention::none : kind;
  };
  config_rule(standard(gnn.use_GNN_from_attention) == standard(Config::gnn.use_GNN_from_attention),
              "gnn_config.use_GNN_from_attention", gnn.use_GNN_from_attention, wanted);
  if constexpr (Config::gnn.use_GNN_from_attention == GNNFromAttention::LlamaAttentionGIN &&
                gin_adjacency(Config::llama, Config::gnn) == GINAdjacency::softmax) {
    if (gin_adjacency(Config::llama, gnn) != GINAdjacency::softmax) {
      fail(
          "make_decoder_layer: the model's type has GIN attention on the softmax of scores alone; another adjacency "
          "must be named in the type's own configuration");
    }
  }
  config_rule(gnn.MLP_type == Config::gnn.MLP_type, "gnn_config.MLP_type", gnn.MLP_type, wanted);
  config_rule((gnn.gnn_mode == GNNMode::none) == (Config::gnn.gnn_mode == GNNMode::none), "gnn_config.gnn_mode",
              gnn.gnn_mode, wanted);
  config_rule(is_plain_layer(gnn) || !is_plain_layer(Config::gnn), "gnn_config.gnn_logic", gnn.gnn_logic,
              "what the model's type has, together with use_original_hidden_states");
}

}  // namespace detail

/// The decoder layer of a configuration (LlamaDecoderLayerWithGNN). An error unless `validate` accepts it, or
/// where it has parts of other kinds than the type.
/// \param layer_idx  counted from 0
template <class Config, class T = float, class DeviceType = Cpu>
typename LlamaTypes<Config, T, DeviceType>::Layer make_decoder_layer(const LlamaConfig& llama, const GNNConfig& gnn,
                                                                     int layer_idx = 0) {
  validate(llama, gnn);
  using Types = LlamaTypes<Config, T, DeviceType>;
  if constexpr (std::is_same_v<Config, Dynamic>) {
    return {detail::make_any_attention<Types>(llama, gnn, layer_idx), detail::make_any_mlp<Types>(llama, gnn),
            detail::make_graph_network<typename Types::Graph>(llama, gnn, layer_idx), layer_options(llama, gnn)};
  } else if constexpr (detail::is_plain_layer(Config::gnn)) {
    detail::expect_kinds_of_type<Config>(gnn);
    return {detail::make_attention<typename Types::Attention>(llama, gnn, layer_idx),
            detail::make_mlp<typename Types::MLP>(llama, gnn), llama.rms_norm_eps, llama.hidden_size};
  } else {
    detail::expect_kinds_of_type<Config>(gnn);
    return {detail::make_attention<typename Types::Attention>(llama, gnn, layer_idx),
            detail::make_mlp<typename Types::MLP>(llama, gnn),
            detail::make_graph_network<typename Types::Graph>(llama, gnn, layer_idx), layer_options(llama, gnn)};
  }
}

}  // namespace weft
