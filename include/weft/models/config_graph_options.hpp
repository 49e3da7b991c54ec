// SPDX-License-Identifier: Apache-2.0
/// \file
/// From configurations to the options of the sparse graph network beside the attention.
#pragma once

#include "weft/graph/graph_adapter.hpp"
#include "weft/models/config.hpp"

namespace weft {

/// The kind of layer that `gnn_type` names.
inline GraphType graph_type(GNNType type) {
  switch (type) {
    case GNNType::causal_gin:
      return GraphType::causal_gin;
    case GNNType::causal_gcn:
      return GraphType::causal_gcn;
    case GNNType::causal_recombination:
      return GraphType::causal_recombination;
    case GNNType::causal_pna:
      return GraphType::causal_pna;
    case GNNType::causal_gnn:
      break;
  }
  fail("graph_type(type): \"causal_gnn\" names no kind of layer (quirk C1)");
}

/// The activation of graph layers.
inline GraphActivation graph_activation(GNNActivation activation) {
  switch (activation) {
    case GNNActivation::relu:
      return GraphActivation::relu;
    case GNNActivation::tanh:
      return GraphActivation::tanh;
    case GNNActivation::gelu:
      return GraphActivation::gelu;
    case GNNActivation::prelu:
      return GraphActivation::prelu;
  }
  fail("graph_activation(activation): not a value of GNNActivation");
}

/// The options of the layers of `causal_pna`, in the form of the switch: the reference's cannot be built (quirk L9).
inline CausalPNAOptions graph_pna_options(const GNNConfig& gnn) {
  PNARules rules{{}, {}};
  for (const PNAAggregator aggregator : gnn.aggregators) rules.aggregators.add(aggregator);
  for (const PNAScaler scaler : gnn.scalers) rules.scalers.add(scaler);
  return {.form = *gnn.switches().pna_form,
          .rules = rules,
          .edge_dim = gnn.edge_dim > 0 ? gnn.edge_dim : gnn.hidden_dim,
          .towers = gnn.towers,
          .pre_layers = gnn.pre_layers,
          .post_layers = gnn.post_layers,
          .divide_input = gnn.divide_input,
          .act = graph_activation(gnn.act)};
}

/// The options of the network inside a graph adapter.
inline CausalGraphNeuralNetworkOptions graph_network_options(const GNNConfig& gnn) {
  return {.type = graph_type(gnn.gnn_type),
          .activation = graph_activation(gnn.activation),
          .num_layers = gnn.num_layers,
          .residual = gnn.gnn_residual,
          .dropout = gnn.dropout,
          .gin = {.use_mlp = gnn.GIN_use_MLP,
                  .hidden_multiplier = gnn.GIN_hidden_dim_multiplier,
                  .norm = gnn.GIN_use_norm ? GraphNormKind::layer : GraphNormKind::none,
                  .edge_weight_scaling = gnn.GIN_edge_weight_scaling,
                  .self_term = *gnn.switches().gin_self_term},
          .pna = graph_pna_options(gnn),
          .hidden_dim = gnn.hidden_dim};
}

/// How attention weights become the edges of that network.
inline GraphAdjacencyOptions graph_adjacency_options(const GNNConfig& gnn) {
  return {.method = gnn.adj_construction_method,
          .per_head = gnn.gnn_mode == GNNMode::per_head,
          .threshold = gnn.threshold,
          .epsilon_threshold = gnn.epsilon_threshold,
          .tau = gnn.threshold_any_tau,
          .alpha = gnn.continuous_transform_alpha,
          .zero_below_epsilon = gnn.zero_below_epsilon_threshold,
          .remove_self_connections = gnn.remove_self_connections,
          .enforce_causality = gnn.enforce_causality,
          .respects_mask = *gnn.switches().threshold_respects_mask,
          .use_distance_scaling = gnn.use_distance_scaling,
          .distance_strength = gnn.distance_weight_strength,
          .distance_scaling = gnn.distance_scaling_method,
          .distance_zero_guard = *gnn.switches().distance_zero_guard};
}

/// The options of the sparse graph network beside the attention, with every extent given.
inline GraphAdapterOptions graph_options(const LlamaConfig& llama, const GNNConfig& gnn, int layer_idx = 0) {
  return {.per_head = gnn.gnn_mode == GNNMode::per_head,
          .gnn = graph_network_options(gnn),
          .adjacency = graph_adjacency_options(gnn),
          .edge_direction = *gnn.switches().edge_direction,
          .adj_transform_hidden_dim = gnn.adj_transform_hidden_dim,
          .learnable_softmax = gnn.learnable_aggregate_activation == AggregateActivation::softmax,
          .use_layer_norm = gnn.use_layer_norm,
          .rms_norm_eps = gnn.rms_norm_eps,
          .per_head_ff = gnn.per_head_ff,
          .norm_to_hidden_states = gnn.norm_to_hidden_states,
          .norm_zero_guard = *gnn.switches().norm_zero_guard,
          .add_rope = gnn.add_rope,
          .add_rope_per_head = *gnn.switches().add_rope_per_head,
          .lambda = gnn.lambda_GNN,
          .lambda_initial = gnn.lambda_GNN_initial,
          .layer_index = layer_idx,
          .layers = llama.num_hidden_layers,
          .hidden_size = llama.hidden_size,
          .heads = llama.num_attention_heads};
}

}  // namespace weft
