// SPDX-License-Identifier: Apache-2.0
/// \file
/// The configuration of a model, and the check that this library can build it.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "weft/models/gnn_config.hpp"
#include "weft/models/llama_config.hpp"
#include "weft/tensor/error.hpp"

namespace weft {

namespace detail {

template <class Value>
std::string config_text(Value value) {
  if constexpr (std::is_same_v<Value, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<Value>) {
    return concat("\"", name_of(value), "\"");
  } else {
    return concat(value);
  }
}

/// One row of a table of rules: unless it holds, an error that names the field, what it holds, and what may stand there.
template <class Value>
constexpr void config_rule(bool holds, std::string_view field, Value found, std::string_view supported) {
  if (!holds) fail(concat(field, " must be ", supported, ", found ", config_text(found)));
}

/// The id of padding names a row of the embedding, from its end if it is negative. Other special tokens are not the model's
/// business: the reference's own recipe has some beyond its vocabulary.
constexpr void validate_padding(const LlamaConfig& llama) {
  config_rule(llama.pad_token_id.size() <= 1, "pad_token_id", llama.pad_token_id.size(), "one id or none");
  for (const int id : llama.pad_token_id) {
    if (id >= llama.vocab_size || id < -llama.vocab_size) {
      fail(concat("pad_token_id must be a row of the embedding, at least -vocab_size and below vocab_size ",
                  llama.vocab_size, ", found ", id));
    }
  }
}

constexpr void validate_extents(const LlamaConfig& c) {
  config_rule(c.vocab_size > 0, "vocab_size", c.vocab_size, "positive");
  config_rule(c.hidden_size > 0, "hidden_size", c.hidden_size, "positive");
  config_rule(c.intermediate_size > 0, "intermediate_size", c.intermediate_size, "positive");
  config_rule(c.num_hidden_layers > 0, "num_hidden_layers", c.num_hidden_layers, "positive");
  config_rule(c.num_attention_heads > 0, "num_attention_heads", c.num_attention_heads, "positive");
  config_rule(c.num_key_value_heads >= 0, "num_key_value_heads", c.num_key_value_heads, "positive");
  config_rule(c.head_dim >= 0, "head_dim", c.head_dim, "positive");
  config_rule(c.max_position_embeddings > 0, "max_position_embeddings", c.max_position_embeddings, "positive");
  config_rule(c.head_dim != 0 || c.hidden_size % c.num_attention_heads == 0, "num_attention_heads",
              c.num_attention_heads, "a divisor of hidden_size where head_dim is not given");
  config_rule(c.num_attention_heads % c.kv_heads() == 0, "num_key_value_heads", c.kv_heads(),
              "a divisor of num_attention_heads");
  config_rule(c.head_size() > 0, "head_dim", c.head_size(), "positive");
  config_rule(static_cast<double>(c.num_attention_heads) * c.head_size() < 2147483648.0, "head_dim", c.head_size(),
              "such that num_attention_heads times it is an int");
}

constexpr void validate_rope_scaling(const LlamaConfig& c) {
  const RopeScaling& scaling = c.rope_scaling;
  if (scaling.type == RopeType::standard) return;
  config_rule(scaling.factor >= 1, "rope_scaling.factor", scaling.factor, "at least 1");
  if (scaling.type != RopeType::llama3) return;
  config_rule(scaling.low_freq_factor > 0, "rope_scaling.low_freq_factor", scaling.low_freq_factor, "positive");
  config_rule(scaling.high_freq_factor > scaling.low_freq_factor, "rope_scaling.high_freq_factor",
              scaling.high_freq_factor, "above low_freq_factor");
  config_rule(scaling.original_max_position_embeddings > 0, "rope_scaling.original_max_position_embeddings",
              scaling.original_max_position_embeddings, "positive");
}

constexpr void validate_llama(const LlamaConfig& c) {
  validate_extents(c);
  config_rule(c.initializer_range >= 0, "initializer_range", c.initializer_range, "at least 0");
  config_rule(c.rms_norm_eps >= 0, "rms_norm_eps", c.rms_norm_eps, "at least 0");
  config_rule(c.rope_theta > 0, "rope_theta", c.rope_theta, "positive");
  config_rule(c.attention_dropout >= 0 && c.attention_dropout < 1, "attention_dropout", c.attention_dropout,
              "in [0, 1)");
  validate_padding(c);
  validate_rope_scaling(c);
}

/// What GIN and PNA attention have in common.
constexpr void validate_graph_attention(const LlamaConfig& c, const GNNConfig& g) {
  config_rule(g.attention_GIN_MLP_GIN_softmax_temperature > 0, "gnn_config.attention_GIN_MLP_GIN_softmax_temperature",
              g.attention_GIN_MLP_GIN_softmax_temperature, "positive");
  const double width = c.head_size() * g.attention_GIN_MLP_multiplier;
  config_rule(width >= 1 && width < 2147483648.0, "gnn_config.attention_GIN_MLP_multiplier",
              g.attention_GIN_MLP_multiplier, "such that head_dim times it is a width");
  const ThresholdMode mode = g.attention_GIN_MLP_GIN_threshold_mode;
  const bool divides_by_beta = mode == ThresholdMode::sharp_softplus &&
                               g.use_GNN_from_attention != GNNFromAttention::LlamaAttentionPNA_LM;  // quirk A28
  config_rule(!divides_by_beta || g.attention_GIN_MLP_GIN_sharp_softplus_beta > 0,
              "gnn_config.attention_GIN_MLP_GIN_sharp_softplus_beta", g.attention_GIN_MLP_GIN_sharp_softplus_beta,
              "positive with the threshold mode sharp_softplus");
  const double fraction = g.attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length;
  constexpr std::string_view name = "gnn_config.attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length";
  config_rule(mode != ThresholdMode::scaled_topk_causal_4d || (fraction > 0 && fraction <= 1), name, fraction,
              "in (0, 1] with the threshold mode scaled_topk_causal_4d");
  config_rule(mode != ThresholdMode::top_k || fraction <= 1, name, fraction, "at most 1 with the threshold mode top_k");
}

constexpr void validate_gin(const LlamaConfig& c, const GNNConfig& g) {
  validate_graph_attention(c, g);
  config_rule(g.attention_GIN_MLP_GIN_mode == GINMode::standard, "gnn_config.attention_GIN_MLP_GIN_mode",
              g.attention_GIN_MLP_GIN_mode, "\"default\" (the reference has no GINLayer_Var_A)");
  config_rule(g.attention_GIN_MLP_GIN_use_softmax || g.attention_GIN_MLP_use_scoring_fnct ||
                  g.attention_GIN_MLP_GIN_threshold_mode != ThresholdMode::none,
              "gnn_config.attention_GIN_MLP_GIN_use_softmax", g.attention_GIN_MLP_GIN_use_softmax,
              "true with the threshold mode \"none\", which would sum values with the mask");
  config_rule(!g.attention_GIN_MLP_use_scoring_fnct || g.attention_GIN_MLP_scoring_hidden_dim > 0,
              "gnn_config.attention_GIN_MLP_scoring_hidden_dim", g.attention_GIN_MLP_scoring_hidden_dim, "positive");
  config_rule(g.dropout_rate >= 0 && g.dropout_rate < 1, "gnn_config.dropout_rate", g.dropout_rate, "in [0, 1)");
  // The values of GIN attention are slices of the hidden states, head_dim wide, one for each key-value head.
  config_rule(static_cast<double>(c.kv_heads()) * c.head_size() == c.hidden_size, "num_key_value_heads", c.kv_heads(),
              "hidden_size / head_dim with LlamaAttentionGIN");
  config_rule(g.attention_GIN_MLP_o_proj_at_end || c.kv_heads() == c.num_attention_heads, "num_key_value_heads",
              c.kv_heads(),
              "num_attention_heads with LlamaAttentionGIN unless attention_GIN_MLP_o_proj_at_end is true");
}

/// Whether a graph network would sum the scores of masked pairs over heads, and keep the sum.
constexpr bool sums_scores(const GNNConfig& g) {
  if (g.gnn_mode == GNNMode::none || g.zero_below_epsilon_threshold) return false;
  return g.adj_construction_method == AdjacencyMethod::learnable_aggregate ||
         (g.gnn_mode == GNNMode::single && g.adj_construction_method != AdjacencyMethod::threshold_any);
}

constexpr void validate_pna(const LlamaConfig& c, const GNNConfig& g) {
  validate_graph_attention(c, g);
  if (g.use_GNN_from_attention == GNNFromAttention::LlamaAttentionPNA) {
    const bool bounded = g.attention_GIN_MLP_GIN_use_softmax || g.attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax;
    config_rule(bounded || g.attention_GIN_MLP_GIN_threshold_mode != ThresholdMode::none,
                "gnn_config.attention_GIN_MLP_GIN_use_softmax", g.attention_GIN_MLP_GIN_use_softmax,
                "true with the threshold mode \"none\" and without ReLU, which would sum values with the mask");
    // The threshold mode works on what PNA sums itself; whoever gets its weights gets the mask (quirk A23).
    config_rule(
        bounded || !(uses_adjacency(g.MLP_type) || sums_scores(g)), "gnn_config.attention_GIN_MLP_GIN_use_softmax",
        g.attention_GIN_MLP_GIN_use_softmax,
        "true without ReLU where a graph network without zero_below_epsilon_threshold sums over heads or an MLP on "
        "the adjacency over tokens: the weights would be scores with the mask in them");
  } else {
    config_rule(g.attention_GIN_MLP_GIN_threshold_value >= 0 || *g.switches().pna_lm_negative_threshold,
                "gnn_config.attention_GIN_MLP_GIN_threshold_value", g.attention_GIN_MLP_GIN_threshold_value,
                "at least 0 with LlamaAttentionPNA_LM, which would select tokens without an edge, unless "
                "pna_lm_negative_threshold is true");
  }
}

constexpr void validate_coarse(const LlamaConfig& c, const GNNConfig& g) {
  const bool interpolates = g.use_GNN_from_attention == GNNFromAttention::CG_Attention_Interpolate;
  config_rule(g.gnn_mode == GNNMode::none, "gnn_config.gnn_mode", g.gnn_mode,
              "\"none\" with coarse-grained attention, which has no weights of tokens against tokens");
  config_rule(!uses_adjacency(g.MLP_type), "gnn_config.MLP_type", g.MLP_type,
              "one without an adjacency with coarse-grained attention, which has none");
  config_rule(c.hidden_size >= c.num_attention_heads, "num_attention_heads", c.num_attention_heads,
              "at most hidden_size with coarse-grained attention");
  config_rule(!g.num_latents_list.empty(), "gnn_config.num_latents_list", g.num_latents_list.size(),
              "a list of one number or more");
  config_rule(g.num_latent_layers >= (interpolates ? 1 : 0), "gnn_config.num_latent_layers", g.num_latent_layers,
              interpolates ? "positive with CG_Attention_Interpolate" : "at least 0");
  config_rule(g.tokens_per_latent >= 0, "gnn_config.tokens_per_latent", g.tokens_per_latent,
              "at least 0, which stands for max_position_embeddings / num_latents");
  config_rule(!interpolates || scales_up(g.interpolation_method_for_adj_scaling, *g.switches().cgi_adjacency),
              "gnn_config.interpolation_method_for_adj_scaling", g.interpolation_method_for_adj_scaling,
              "\"nearest\" or \"bilinear\" with cgi_adjacency \"active_latents\"");
  const int positions = g.max_position_embeddings;
  config_rule(positions > 0, "gnn_config.max_position_embeddings", positions, "positive");
  for (const int latents : g.num_latents_list) {
    config_rule(latents > 0, "gnn_config.num_latents_list", latents, "a list of positive numbers");
    config_rule(!interpolates || latents < positions, "gnn_config.num_latents_list", latents,
                "a list of numbers below gnn_config.max_position_embeddings with CG_Attention_Interpolate");
    const int group = g.tokens_per_latent > 0 ? g.tokens_per_latent : positions / latents;
    config_rule(static_cast<double>(group) * latents >= positions, "gnn_config.max_position_embeddings", positions,
                "at most tokens_per_latent * num_latents of every level (a multiple of each of num_latents_list)");
  }
}

/// Whether the weights that the attention gives can be below 0: those of GIN attention come after its threshold mode, and
/// those of the other kinds are never negative (but for scores, which nobody gets: see `validate_pna`).
constexpr bool may_give_negative_weights(const GNNConfig& g) {
  if (g.use_GNN_from_attention != GNNFromAttention::LlamaAttentionGIN) return false;
  const bool has_signs =
      !g.attention_GIN_MLP_use_scoring_fnct && (g.use_differential_attention || !g.attention_GIN_MLP_GIN_use_softmax);
  switch (g.attention_GIN_MLP_GIN_threshold_mode) {
    case ThresholdMode::none:
      return has_signs;
    case ThresholdMode::silu_plus_binary:
      if (g.attention_GIN_MLP_GIN_binary_scale < 0) return true;
      [[fallthrough]];
    case ThresholdMode::silu:
    case ThresholdMode::silu_below_binary_above:  // silu(a - t) < 0 where a < t
      return has_signs || g.attention_GIN_MLP_GIN_learnable_threshold || g.attention_GIN_MLP_GIN_threshold_value > 0;
    default:
      return false;
  }
}

constexpr void validate_mlp(const LlamaConfig& c, const GNNConfig& g) {
  if (!uses_adjacency(g.MLP_type)) return;
  config_rule(*g.switches().mlp_gin_available, "gnn_config.MLP_type", g.MLP_type,
              "another while mlp_gin_available is false: the reference cannot select this one");
  config_rule(g.MLP_type != MLPType::LlamaMLP_HalfwayGIN_MultiAggregation ||
                  *g.switches().multiagg_negative_weights == NegativeWeights::clamp || !may_give_negative_weights(g),
              "gnn_config.MLP_type", g.MLP_type,
              "another where weights can be negative (differential attention, no softmax, threshold modes with silu), "
              "whose logarithm it takes, unless multiagg_negative_weights is \"clamp\"");
  if (g.MLP_type == MLPType::LlamaMLP_HalfwayGIN_MultiHop) {
    config_rule(c.hidden_size % c.num_attention_heads == 0, "hidden_size", c.hidden_size,
                "a multiple of num_attention_heads with LlamaMLP_HalfwayGIN_MultiHop");
  } else {
    config_rule(c.intermediate_size % c.num_attention_heads == 0, "intermediate_size", c.intermediate_size,
                "a multiple of num_attention_heads with an MLP on the adjacency");
  }
}

/// The layers of `causal_pna`.
constexpr void validate_causal_pna(const GNNConfig& g) {
  config_rule(
      *g.switches().pna_form == PNAForm::corrected, "gnn_config.gnn_type", g.gnn_type,
      "another unless pna_form is \"corrected\" (or semantics \"intended\"): the reference cannot build this one");
  config_rule(g.edge_dim >= 0, "gnn_config.edge_dim", g.edge_dim, "at least 0, which stands for hidden_dim");
  config_rule(g.towers > 0 && g.hidden_dim % g.towers == 0, "gnn_config.towers", g.towers,
              "a positive divisor of hidden_dim");
  config_rule(g.pre_layers > 0, "gnn_config.pre_layers", g.pre_layers, "positive");
  config_rule(g.post_layers > 0, "gnn_config.post_layers", g.post_layers, "positive");
  config_rule(!g.aggregators.empty(), "gnn_config.aggregators", g.aggregators.size(), "a list of one name or more");
  config_rule(!g.scalers.empty(), "gnn_config.scalers", g.scalers.size(), "a list of one name or more");
  config_rule(g.act != GNNActivation::prelu, "gnn_config.act", g.act, "one of \"relu\", \"tanh\", \"gelu\"");
}

/// The network beside the attention. Its adjacency is checked here too.
constexpr void validate_sparse_graph(const LlamaConfig& c, const GNNConfig& g) {
  config_rule(g.gnn_type != GNNType::causal_gnn, "gnn_config.gnn_type", g.gnn_type,
              "one of \"causal_gin\", \"causal_gcn\", \"causal_pna\", \"causal_recombination\" where gnn_mode is not "
              "\"none\"");
  config_rule(g.num_layers >= 0, "gnn_config.num_layers", g.num_layers, "at least 0");
  config_rule(g.hidden_dim > 0, "gnn_config.hidden_dim", g.hidden_dim, "positive");
  config_rule(g.dropout >= 0 && g.dropout < 1, "gnn_config.dropout", g.dropout, "in [0, 1)");
  if (g.gnn_type == GNNType::causal_pna) validate_causal_pna(g);
  const double width = g.hidden_dim * g.GIN_hidden_dim_multiplier;
  config_rule(g.gnn_type != GNNType::causal_gin || !g.GIN_use_MLP || (width >= 1 && width < 2147483648.0),
              "gnn_config.GIN_hidden_dim_multiplier", g.GIN_hidden_dim_multiplier,
              "such that hidden_dim times it is a width");
  const bool learns = g.adj_construction_method == AdjacencyMethod::learnable_aggregate;
  config_rule(!learns || g.adj_transform_hidden_dim > 0, "gnn_config.adj_transform_hidden_dim",
              g.adj_transform_hidden_dim, "positive with learnable_aggregate");
  const bool weighs = g.adj_construction_method == AdjacencyMethod::threshold_any;
  config_rule(!weighs || g.threshold_any_tau > 0, "gnn_config.threshold_any_tau", g.threshold_any_tau,
              "positive with threshold_any");
  config_rule(g.gnn_mode != GNNMode::per_head || c.hidden_size % c.num_attention_heads == 0, "hidden_size",
              c.hidden_size, "a multiple of num_attention_heads where gnn_mode is \"per_head\"");
  const bool turns = g.add_rope && g.gnn_mode != GNNMode::per_head;
  config_rule(
      !turns || c.num_attention_heads == 1 || *g.switches().add_rope_per_head, "gnn_config.add_rope", g.add_rope,
      "false with more than one head unless add_rope_per_head is true: the rotary tables are as wide as a head");
  config_rule(!turns || static_cast<double>(c.num_attention_heads) * c.head_size() == c.hidden_size,
              "gnn_config.add_rope", g.add_rope, "false where the heads together are not as wide as hidden_size");
}

constexpr void validate_attention(const LlamaConfig& c, const GNNConfig& g) {
  const bool coarse = g.use_GNN_from_attention == GNNFromAttention::CG_Attention ||
                      g.use_GNN_from_attention == GNNFromAttention::CG_Attention_Interpolate;
  config_rule(coarse || c.head_size() % 2 == 0, "head_dim", c.head_size(),
              "even, because the rotary embedding turns pairs");
  switch (g.use_GNN_from_attention) {
    case GNNFromAttention::LlamaAttentionGIN:
      return validate_gin(c, g);
    case GNNFromAttention::LlamaAttentionPNA:
    case GNNFromAttention::LlamaAttentionPNA_LM:
      return validate_pna(c, g);
    case GNNFromAttention::CG_Attention:
    case GNNFromAttention::CG_Attention_Interpolate:
      return validate_coarse(c, g);
    default:
      return;
  }
}

constexpr void validate_gnn(const LlamaConfig& c, const GNNConfig& g) {
  config_rule(g.threshold >= 0, "gnn_config.threshold", g.threshold, "at least 0");
  if (g.gnn_mode != GNNMode::none) validate_sparse_graph(c, g);
  validate_attention(c, g);
  validate_mlp(c, g);
}

}  // namespace detail

/// Raises Error unless this library can build such a model; the message names the field, what it holds, and what is
/// supported. Also a constant expression: `static_assert(validate(Scribe::llama, Scribe::gnn))`.
constexpr bool validate(const LlamaConfig& llama, const GNNConfig& gnn = {}) {
  detail::validate_llama(llama);
  detail::validate_gnn(llama, gnn);
  return true;
}

}  // namespace weft
