// SPDX-License-Identifier: Apache-2.0
/// \file
/// The names that the fields of a GNNConfig have in `config.json`.
#pragma once

#include "weft/models/gnn_config.hpp"

namespace weft::detail {

/// Whose field it is, which decides when it is written.
enum class FieldOf {
  reference,   ///< always
  causal_gin,  ///< in the reference's files only with this `gnn_type` (quirk C4): then, and where it is not the default
  causal_pna,
  us  ///< where it is not the default, because the reference's constructor refuses it
};

template <class Config, class Visit>
constexpr void visit_sparse_graph_fields(Config& c, Visit&& visit) {
  visit("num_layers", c.num_layers);
  visit("hidden_dim", c.hidden_dim);
  visit("activation", c.activation);
  visit("dropout", c.dropout);
  visit("use_layer_norm", c.use_layer_norm);
  visit("rms_norm_eps", c.rms_norm_eps);
  visit("norm_to_hidden_states", c.norm_to_hidden_states);
  visit("gnn_type", c.gnn_type);
  visit("gnn_mode", c.gnn_mode);
  visit("gnn_logic", c.gnn_logic);
  visit("gnn_residual", c.gnn_residual);
  visit("GIN_use_MLP", c.GIN_use_MLP, FieldOf::causal_gin);
  visit("GIN_use_norm", c.GIN_use_norm, FieldOf::causal_gin);
  visit("GIN_hidden_dim_multiplier", c.GIN_hidden_dim_multiplier, FieldOf::causal_gin);
  visit("GIN_edge_weight_scaling", c.GIN_edge_weight_scaling, FieldOf::causal_gin);
  visit("aggregators", c.aggregators, FieldOf::causal_pna);
  visit("scalers", c.scalers, FieldOf::causal_pna);
  visit("lambda_GNN", c.lambda_GNN);
  visit("lambda_GNN_initial", c.lambda_GNN_initial);
  visit("per_head_ff", c.per_head_ff);
  visit("use_original_hidden_states", c.use_original_hidden_states);
  visit("use_original_hidden_states_add_attention", c.use_original_hidden_states_add_attention);
  visit("add_rope", c.add_rope);
}

template <class Config, class Visit>
constexpr void visit_adjacency_fields(Config& c, Visit&& visit) {
  visit("adj_construction_method", c.adj_construction_method);
  visit("threshold_any_tau", c.threshold_any_tau);
  visit("learnable_aggregate_activation", c.learnable_aggregate_activation);
  visit("adj_transform_hidden_dim", c.adj_transform_hidden_dim);
  visit("continuous_transform_alpha", c.continuous_transform_alpha);
  visit("threshold", c.threshold);
  visit("zero_below_epsilon_threshold", c.zero_below_epsilon_threshold);
  visit("epsilon_threshold", c.epsilon_threshold);
  visit("remove_self_connections", c.remove_self_connections);
  visit("enforce_causality", c.enforce_causality);
  visit("use_distance_scaling", c.use_distance_scaling);
  visit("distance_weight_strength", c.distance_weight_strength);
  visit("distance_scaling_method", c.distance_scaling_method);
}

template <class Config, class Visit>
constexpr void visit_attention_fields(Config& c, Visit&& visit) {
  visit("use_GNN_from_attention", c.use_GNN_from_attention);
  visit("attention_GIN_MLP_multiplier", c.attention_GIN_MLP_multiplier);
  visit("initial_sharpening_value", c.initial_sharpening_value);
  visit("use_sharpening", c.use_sharpening);
  visit("sharpening_value_init", c.sharpening_value_init);
  visit("attention_GIN_MLP_GIN_learnable_threshold", c.attention_GIN_MLP_GIN_learnable_threshold);
  visit("attention_GIN_MLP_GIN_threshold_value", c.attention_GIN_MLP_GIN_threshold_value);
  visit("attention_GIN_MLP_GIN_threshold_mode", c.attention_GIN_MLP_GIN_threshold_mode);
  visit("attention_GIN_MLP_GIN_binary_scale", c.attention_GIN_MLP_GIN_binary_scale);
  visit("attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length",
        c.attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length);
  visit("attention_GIN_MLP_GIN_sharp_softplus_beta", c.attention_GIN_MLP_GIN_sharp_softplus_beta);
  visit("attention_GIN_MLP_GIN_use_softmax", c.attention_GIN_MLP_GIN_use_softmax);
  visit("attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax", c.attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax);
  visit("attention_GIN_MLP_GIN_softmax_temperature", c.attention_GIN_MLP_GIN_softmax_temperature);
  visit("attention_GIN_MLP_GIN_mode", c.attention_GIN_MLP_GIN_mode);
  visit("attention_GIN_MLP_use_scoring_fnct", c.attention_GIN_MLP_use_scoring_fnct);
  visit("attention_GIN_MLP_scoring_hidden_dim", c.attention_GIN_MLP_scoring_hidden_dim);
  visit("use_differential_attention", c.use_differential_attention);
  visit("use_differential_attention_group_norm", c.use_differential_attention_group_norm);
  visit("attention_GIN_MLP_o_proj_at_end", c.attention_GIN_MLP_o_proj_at_end);
  visit("residual_epsilon_uniform_value", c.residual_epsilon_uniform_value);
}

template <class Config, class Visit>
constexpr void visit_coarse_fields(Config& c, Visit&& visit) {
  visit("num_latents_list", c.num_latents_list);
  visit("num_latents", c.num_latents);
  visit("max_position_embeddings", c.max_position_embeddings);
  visit("num_latent_layers", c.num_latent_layers);
  visit("CG_Attention_use_skip", c.CG_Attention_use_skip);
  visit("use_projection", c.use_projection);
  visit("mix_weights_initial", c.mix_weights_initial);
  visit("use_fixed_number_of_tokens_per_latent", c.use_fixed_number_of_tokens_per_latent);
  visit("group_tokens_for_coarse_graining", c.group_tokens_for_coarse_graining);
}

template <class Config, class Visit>
constexpr void visit_causal_pna_fields(Config& c, Visit&& visit) {
  visit("edge_dim", c.edge_dim, FieldOf::us);
  visit("towers", c.towers, FieldOf::us);
  visit("pre_layers", c.pre_layers, FieldOf::us);
  visit("post_layers", c.post_layers, FieldOf::us);
  visit("divide_input", c.divide_input, FieldOf::us);
  visit("act", c.act, FieldOf::us);
}

template <class Config, class Visit>
constexpr void visit_own_fields(Config& c, Visit&& visit) {
  visit("dropout_rate", c.dropout_rate, FieldOf::us);
  visit("tokens_per_latent", c.tokens_per_latent, FieldOf::us);
  visit("interpolation_method_for_adj_scaling", c.interpolation_method_for_adj_scaling, FieldOf::us);
  visit_causal_pna_fields(c, visit);
  visit("semantics", c.semantics, FieldOf::us);
  visit_compatibility(c.compatibility, [&](const char* name, auto& one, auto, auto) { visit(name, one, FieldOf::us); });
}

template <class Config, class Visit>
constexpr void visit_kept_fields(Config& c, Visit&& visit) {
  visit("plot_for_debugging", c.plot_for_debugging);
  visit("combined_norm", c.combined_norm);
  visit("top_k", c.top_k);
  visit("N_GNN_from_attention_layers", c.N_GNN_from_attention_layers);
  visit("use_GNN_from_attention_add_RoPE_at_every_layer", c.use_GNN_from_attention_add_RoPE_at_every_layer);
  visit("LlamaAttentionHierarchicalPerceiverAR_use_rope", c.LlamaAttentionHierarchicalPerceiverAR_use_rope);
  visit("attention_epsilon_uniform_value", c.attention_epsilon_uniform_value);
  visit("attention_GIN_MLP_GIN_MLP_pre_aggregate", c.attention_GIN_MLP_GIN_MLP_pre_aggregate);
  visit("attention_GIN_MLP_separate_attention", c.attention_GIN_MLP_separate_attention);
  visit("attention_GIN_MLP_use_second_order", c.attention_GIN_MLP_use_second_order);
  visit("attention_GIN_MLP_second_order_factor", c.attention_GIN_MLP_second_order_factor);
  visit("GIN_after_attention", c.GIN_after_attention);
  visit("GIN_after_attention_pre_GIN_norm", c.GIN_after_attention_pre_GIN_norm);
  visit("GIN_after_attention_skip", c.GIN_after_attention_skip);
  visit("use_soft_masking", c.use_soft_masking);
  visit("soft_masking_k", c.soft_masking_k);
  visit("soft_masking_initial_threshold", c.soft_masking_initial_threshold);
  visit("use_graph_property_modulation", c.use_graph_property_modulation);
  visit("use_graph_property_modulation_with_norm", c.use_graph_property_modulation_with_norm);
  visit("use_graph_property_modulation_with_norm_use_causal_clustering",
        c.use_graph_property_modulation_with_norm_use_causal_clustering);
  visit("use_layer_norm_in_GIN_MLP", c.use_layer_norm_in_GIN_MLP);
  visit("use_no_norm_in_GIN_MLP", c.use_no_norm_in_GIN_MLP);
  visit("use_hierarchical_attention", c.use_hierarchical_attention);
}

/// Calls `visit(name, field, whose = FieldOf::reference)` for every field.
template <class Config, class Visit>
constexpr void visit_gnn_fields(Config& config, Visit&& visit) {
  visit_sparse_graph_fields(config, visit);
  visit_adjacency_fields(config, visit);
  visit_attention_fields(config, visit);
  visit_coarse_fields(config, visit);
  visit("MLP_type", config.MLP_type);
  visit_own_fields(config, visit);
  visit_kept_fields(config, visit);
}

}  // namespace weft::detail
