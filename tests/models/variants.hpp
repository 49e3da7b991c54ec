// SPDX-License-Identifier: Apache-2.0
/// \file
/// A small model of every variant, for tests of what all of them promise.
#pragma once

#include <string>
#include <vector>

#include "weft/models/llama.hpp"

#include "models/tiny_models.hpp"

namespace weft::testing {

/// One model type for all of them, so that it is compiled once.
using VariantModel = LlamaForCausalLMWithGNN<Dynamic, double>;

struct Variant {
  std::string name;
  GNNConfig gnn;
  bool causal = true;       ///< changing a token moves no earlier logit
  bool incremental = true;  ///< tokens can be added one at a time with a cache
  int key_value_heads = 2;
};

inline LlamaConfig variant_llama(const Variant& variant) {
  return {.vocab_size = 11,
          .hidden_size = 8,
          .intermediate_size = 6,
          .num_hidden_layers = 2,
          .num_attention_heads = 2,
          .num_key_value_heads = variant.key_value_heads,
          .initializer_range = 0.3};
}

inline VariantModel make_variant(const Variant& variant, std::uint64_t seed) {
  VariantModel model(variant_llama(variant), variant.gnn, Rng(seed));
  randomize_parameters(model, seed, 0.4);
  return model;
}

inline std::vector<Variant> attention_variants() {
  using Kind = GNNFromAttention;
  const auto gin = [](GNNConfig gnn) {
    gnn.use_GNN_from_attention = Kind::LlamaAttentionGIN;
    gnn.attention_GIN_MLP_multiplier = 1;
    return gnn;
  };
  const auto coarse = [](Kind kind, Semantics semantics) {
    return GNNConfig{.use_GNN_from_attention = kind,
                     .num_latents_list = {4, 2},
                     .max_position_embeddings = 16,
                     .num_latent_layers = 1,
                     .semantics = semantics};
  };
  return {
      {"plain, grouped heads", {}, true, true, 1},
      {"GIN", gin({.use_sharpening = true})},
      {"GIN, silu, learned threshold", gin({.attention_GIN_MLP_GIN_learnable_threshold = true,
                                            .attention_GIN_MLP_GIN_threshold_mode = ThresholdMode::silu})},
      {"GIN, scoring", gin({.attention_GIN_MLP_use_scoring_fnct = true, .attention_GIN_MLP_scoring_hidden_dim = 5})},
      {"GIN, differential", gin({.use_differential_attention = true, .attention_GIN_MLP_o_proj_at_end = true})},
      {"GIN, differential, group norm",
       gin({.use_differential_attention = true, .use_differential_attention_group_norm = true}), false, false},
      {"GIN, intended", gin({.use_sharpening = true, .semantics = Semantics::intended})},
      {"PNA", {.use_GNN_from_attention = Kind::LlamaAttentionPNA, .attention_GIN_MLP_multiplier = 1}, true, true, 1},
      {"PNA, intended",
       {.use_GNN_from_attention = Kind::LlamaAttentionPNA,
        .attention_GIN_MLP_multiplier = 1,
        .semantics = Semantics::intended}},
      {"PNA_LM",
       {.use_GNN_from_attention = Kind::LlamaAttentionPNA_LM,
        .attention_GIN_MLP_multiplier = 1,
        .attention_GIN_MLP_GIN_threshold_value = 0.01}},
      {"coarse", coarse(Kind::CG_Attention, Semantics::reference), true, false},
      {"coarse, intended", coarse(Kind::CG_Attention, Semantics::intended), true, false},
      {"coarse, interpolated", coarse(Kind::CG_Attention_Interpolate, Semantics::reference), true, false},
      {"coarse, interpolated, intended", coarse(Kind::CG_Attention_Interpolate, Semantics::intended), true, false},
  };
}

inline std::vector<Variant> layer_variants() {
  using Logic = GNNLogic;
  return {
      {"linear MLP", {.MLP_type = MLPType::linear_MLP}},
      {"shallow MLP, after", {.gnn_logic = Logic::after_MLP, .MLP_type = MLPType::shallow_MLP}},
      {"no MLP", {.MLP_type = MLPType::no_MLP}},
      {"no MLP, parallel", {.gnn_logic = Logic::parallel_GNN_MLP, .MLP_type = MLPType::no_MLP}},
      {"parallel", {.gnn_logic = Logic::parallel_GNN_MLP}},
      {"original hidden states", {.use_original_hidden_states = true}},
      {"original hidden states, after", {.gnn_logic = Logic::after_MLP, .use_original_hidden_states = true}},
      {"MLP on the adjacency", {.MLP_type = MLPType::LlamaMLP_HalfwayGIN}},
      {"MLP on the adjacency, PNA_LM",
       {.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA_LM,
        .attention_GIN_MLP_multiplier = 1,
        .attention_GIN_MLP_GIN_threshold_value = 0.01,
        .MLP_type = MLPType::LlamaMLP_HalfwayGIN}},
      {"MLP of several hops, parallel",
       {.gnn_logic = Logic::parallel_GNN_MLP, .MLP_type = MLPType::LlamaMLP_HalfwayGIN_MultiHop}},
      {"MLP of several hops, differential GIN, after",
       {.gnn_logic = Logic::after_MLP,
        .use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN,
        .attention_GIN_MLP_multiplier = 1,
        .use_differential_attention = true,
        .MLP_type = MLPType::LlamaMLP_HalfwayGIN_MultiHop}},
      {"MLP of several aggregates", {.MLP_type = MLPType::LlamaMLP_HalfwayGIN_MultiAggregation}, false, false},
      {"MLP of several aggregates, intended, PNA",
       {.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA,
        .MLP_type = MLPType::LlamaMLP_HalfwayGIN_MultiAggregation,
        .semantics = Semantics::intended}},
      {"MLP of several aggregates, intended, differential GIN",
       {.use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN,
        .attention_GIN_MLP_multiplier = 1,
        .use_differential_attention = true,
        .MLP_type = MLPType::LlamaMLP_HalfwayGIN_MultiAggregation,
        .semantics = Semantics::intended}},
      {"original hidden states, MLP on the adjacency",
       {.use_original_hidden_states = true, .MLP_type = MLPType::LlamaMLP_HalfwayGIN}},
  };
}

inline std::vector<Variant> graph_variants() {
  const auto sparse = [](GNNConfig gnn) {
    gnn.num_layers = 1;
    gnn.hidden_dim = 5;
    gnn.dropout = 0;
    if (gnn.gnn_type == GNNType::causal_gnn) gnn.gnn_type = GNNType::causal_gin;
    if (gnn.gnn_mode == GNNMode::none) gnn.gnn_mode = GNNMode::single;
    gnn.threshold = 0.1;
    gnn.zero_below_epsilon_threshold = false;
    return gnn;
  };
  return {
      {"sparse GIN", sparse({.activation = GNNActivation::prelu})},
      {"sparse GIN with rotary positions, intended", sparse({.add_rope = true, .semantics = Semantics::intended})},
      {"sparse GIN, intended", sparse({.activation = GNNActivation::gelu, .semantics = Semantics::intended})},
      {"sparse GCN per head, intended, MLP of several hops, parallel",
       sparse({.activation = GNNActivation::tanh,
               .gnn_type = GNNType::causal_gcn,
               .gnn_mode = GNNMode::per_head,
               .gnn_logic = GNNLogic::parallel_GNN_MLP,
               .MLP_type = MLPType::LlamaMLP_HalfwayGIN_MultiHop,
               .semantics = Semantics::intended})},
      {"recombination on PNA attention, intended, after",
       sparse({.activation = GNNActivation::gelu,
               .gnn_type = GNNType::causal_recombination,
               .gnn_logic = GNNLogic::after_MLP,
               .use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA,
               .attention_GIN_MLP_multiplier = 1,
               .semantics = Semantics::intended})},
      {"sparse GCN per head, after", sparse({.activation = GNNActivation::tanh,
                                             .gnn_type = GNNType::causal_gcn,
                                             .gnn_mode = GNNMode::per_head,
                                             .gnn_logic = GNNLogic::after_MLP,
                                             .per_head_ff = true})},
      {"recombination, parallel, learned adjacency",
       sparse({.activation = GNNActivation::tanh,
               .gnn_type = GNNType::causal_recombination,
               .gnn_logic = GNNLogic::parallel_GNN_MLP,
               .adj_construction_method = AdjacencyMethod::learnable_aggregate,
               .adj_transform_hidden_dim = 4,
               .enforce_causality = false})},
      {"recombination, learned adjacency, intended",
       sparse({.activation = GNNActivation::tanh,
               .gnn_type = GNNType::causal_recombination,
               .adj_construction_method = AdjacencyMethod::learnable_aggregate,
               .adj_transform_hidden_dim = 4,
               .semantics = Semantics::intended}),
       true, false},
      {"sparse GIN on GIN attention", sparse({.activation = GNNActivation::gelu,
                                              .use_original_hidden_states = true,
                                              .use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN,
                                              .attention_GIN_MLP_multiplier = 1})},
      {"sparse GIN on PNA attention",
       sparse({.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA, .attention_GIN_MLP_multiplier = 1})},
      {"sparse GIN and MLP of several hops",
       sparse({.activation = GNNActivation::tanh, .MLP_type = MLPType::LlamaMLP_HalfwayGIN_MultiHop})},
      {"sparse GIN, distances", sparse({.activation = GNNActivation::gelu, .use_distance_scaling = true}), true, false},
      {"sparse PNA, intended", sparse({.activation = GNNActivation::tanh,
                                       .gnn_type = GNNType::causal_pna,
                                       .act = GNNActivation::tanh,
                                       .semantics = Semantics::intended})},
  };
}

inline std::vector<Variant> all_variants() {
  std::vector<Variant> all = attention_variants();
  for (const auto& more : {layer_variants(), graph_variants()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace weft::testing
