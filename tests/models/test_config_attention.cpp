// SPDX-License-Identifier: Apache-2.0
#include "weft/models/config.hpp"

#include "models/config_refusal.hpp"
#include "support/catch.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::GNNConfig;
using weft::GNNFromAttention;
using weft::GNNMode;
using weft::GNNType;
using weft::LlamaConfig;
using weft::testing::gin;
using weft::testing::refusal;

TEST_CASE("coarse-grained attention is refused where its groups do not fit or weights are wanted") {
  const auto coarse = [](GNNConfig gnn, bool interpolates = false) {
    gnn.use_GNN_from_attention =
        interpolates ? GNNFromAttention::CG_Attention_Interpolate : GNNFromAttention::CG_Attention;
    return refusal({}, gnn);
  };
  CHECK(coarse({.num_latents_list = {64}, .max_position_embeddings = 64}).empty());
  GNNConfig fits{.num_latents_list = {64}, .max_position_embeddings = 64};
  fits.use_GNN_from_attention = GNNFromAttention::CG_Attention;
  CHECK(refusal({.hidden_size = 30, .num_attention_heads = 4, .head_dim = 7}, fits)
            .empty());  // heads of 30 / 4, unturned
  CHECK_THAT(refusal({.hidden_size = 3, .num_attention_heads = 4, .head_dim = 8}, fits),
             ContainsSubstring("num_attention_heads must be at most hidden_size with coarse-grained attention"));
  CHECK_THAT(coarse({.num_latents_list = {64}, .max_position_embeddings = 64}, true),
             ContainsSubstring("a list of numbers below gnn_config.max_position_embeddings"));
  CHECK_THAT(coarse({.num_latents_list = {5}, .max_position_embeddings = 64}),
             ContainsSubstring("max_position_embeddings must be at most tokens_per_latent * num_latents"));
  CHECK(coarse({.num_latents_list = {5}, .max_position_embeddings = 64, .tokens_per_latent = 13}).empty());
  CHECK_THAT(coarse({.num_latents_list = {4}, .max_position_embeddings = 16, .tokens_per_latent = -5}),
             ContainsSubstring("tokens_per_latent must be at least 0, which stands for max_position_embeddings / "
                               "num_latents, found -5"));
  GNNConfig scaled{.num_latents_list = {32}, .max_position_embeddings = 64};
  scaled.interpolation_method_for_adj_scaling = weft::AdjacencyInterpolation::area;
  CHECK(coarse(scaled, true).empty());
  scaled.compatibility.cgi_adjacency = weft::CGIAdjacency::active_latents;
  CHECK(coarse(scaled).empty());
  CHECK_THAT(coarse(scaled, true), ContainsSubstring("interpolation_method_for_adj_scaling must be \"nearest\" or"));
  CHECK_THAT(coarse({.num_latent_layers = 0}, true), ContainsSubstring("num_latent_layers must be positive"));
  CHECK_THAT(coarse({.num_latents_list = {}}), ContainsSubstring("num_latents_list must be a list of one number"));
  CHECK_THAT(coarse({.gnn_type = GNNType::causal_gin, .gnn_mode = GNNMode::single}),
             ContainsSubstring("gnn_mode must be \"none\" with coarse-grained attention"));
  CHECK_THAT(coarse({.MLP_type = weft::MLPType::LlamaMLP_HalfwayGIN}),
             ContainsSubstring("MLP_type must be one without an adjacency"));
}

TEST_CASE("PNA attention and the feed-forward blocks on an adjacency have conditions of their own") {
  GNNConfig pna{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA,
                .attention_GIN_MLP_GIN_use_softmax = false};
  CHECK(refusal({}, pna).empty());
  pna.attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax = false;
  CHECK_THAT(refusal({}, pna), ContainsSubstring("without ReLU, which would sum values with the mask"));
  pna.attention_GIN_MLP_GIN_threshold_mode = weft::ThresholdMode::sigmoid_elementwise;
  CHECK(refusal({}, pna).empty());
  for (const auto mlp : {weft::MLPType::LlamaMLP_HalfwayGIN, weft::MLPType::LlamaMLP_HalfwayGIN_MultiHop,
                         weft::MLPType::LlamaMLP_HalfwayGIN_MultiAggregation}) {
    GNNConfig summed = pna;
    summed.MLP_type = mlp;
    summed.semantics = weft::Semantics::intended;
    CHECK_THAT(refusal({}, summed), ContainsSubstring("use_softmax must be true without ReLU where"));
  }
  for (const auto mode : {GNNMode::single, GNNMode::per_head}) {
    for (const auto method : {weft::AdjacencyMethod::mean, weft::AdjacencyMethod::sum,
                              weft::AdjacencyMethod::learnable_aggregate, weft::AdjacencyMethod::threshold_any}) {
      INFO(weft::name_of(mode) << ' ' << weft::name_of(method));
      GNNConfig summed = pna;
      summed.gnn_type = GNNType::causal_gin;
      summed.gnn_mode = mode;
      summed.adj_construction_method = method;
      CHECK(refusal({}, summed).empty());  // what is not above epsilon_threshold is 0
      summed.zero_below_epsilon_threshold = false;
      const bool sums = method == weft::AdjacencyMethod::learnable_aggregate ||
                        (mode == GNNMode::single && method != weft::AdjacencyMethod::threshold_any);
      CHECK(refusal({}, summed).ends_with("scores with the mask in them, found false") == sums);
      summed.attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax = true;
      CHECK(refusal({}, summed).empty());
    }
  }
  CHECK_THAT(refusal({}, {.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA_LM,
                          .attention_GIN_MLP_GIN_threshold_value = -0.1}),
             ContainsSubstring("threshold_value must be at least 0 with LlamaAttentionPNA_LM"));
  CHECK(refusal({}, {.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA_LM,
                     .attention_GIN_MLP_GIN_threshold_value = -0.1,
                     .compatibility = {.pna_lm_negative_threshold = true}})
            .empty());
  const GNNConfig halfway{.MLP_type = weft::MLPType::LlamaMLP_HalfwayGIN};
  CHECK_THAT(refusal({.intermediate_size = 33}, halfway),
             ContainsSubstring("intermediate_size must be a multiple of num_attention_heads"));
  CHECK_THAT(refusal({}, {.MLP_type = halfway.MLP_type, .compatibility = {.mlp_gin_available = false}}),
             ContainsSubstring("mlp_gin_available"));
}

TEST_CASE("multi-aggregation is refused where weights can be negative, unless they are clamped") {
  GNNConfig gnn = gin();
  gnn.MLP_type = weft::MLPType::LlamaMLP_HalfwayGIN_MultiAggregation;
  CHECK(refusal({}, gnn).empty());
  const auto negative = [&](auto&& change) {
    GNNConfig changed = gnn;
    change(changed);
    changed.compatibility.multiagg_negative_weights = weft::NegativeWeights::clamp;
    CHECK(refusal({}, changed).empty());
    changed.compatibility = {};
    changed.semantics = weft::Semantics::intended;
    CHECK(refusal({}, changed).empty());
    changed.semantics = weft::Semantics::reference;
    return !refusal({}, changed).empty();
  };
  using weft::ThresholdMode;
  CHECK(negative([](GNNConfig& g) { g.use_differential_attention = true; }));
  for (int mode = 1; mode < 14; ++mode) {
    INFO(mode);
    const auto set = [&](GNNConfig& g) { g.attention_GIN_MLP_GIN_threshold_mode = static_cast<ThresholdMode>(mode); };
    const bool silu = weft::name_of(static_cast<ThresholdMode>(mode)).starts_with("silu");
    CHECK(negative(set) == silu);
    CHECK(negative([&](GNNConfig& g) {
            set(g);
            g.attention_GIN_MLP_GIN_use_softmax = false;
            g.attention_GIN_MLP_GIN_threshold_value = -0.1;
          }) == silu);
    CHECK_FALSE(negative([&](GNNConfig& g) {  // softmax(...) - t > 0
      set(g);
      g.attention_GIN_MLP_GIN_threshold_value = -0.1;
    }));
  }
  CHECK_FALSE(negative([](GNNConfig& g) {  // scores of the network are not differences
    g.use_differential_attention = true;
    g.attention_GIN_MLP_use_scoring_fnct = true;
  }));
  gnn.use_differential_attention = true;
  CHECK(refusal({}, gnn) ==
        "gnn_config.MLP_type must be another where weights can be negative (differential attention, no softmax, "
        "threshold "
        "modes with silu), whose logarithm it takes, unless multiagg_negative_weights is \"clamp\", found "
        "\"LlamaMLP_HalfwayGIN_MultiAggregation\"");
}

TEST_CASE("the conditions of GIN attention are checked only where it is used") {
  GNNConfig narrow = gin();
  narrow.attention_GIN_MLP_multiplier = 0.001;
  CHECK_THAT(refusal({}, narrow), ContainsSubstring("attention_GIN_MLP_multiplier"));
  narrow.use_GNN_from_attention = GNNFromAttention::none;
  CHECK(refusal({}, narrow).empty());
  GNNConfig top_k = gin();
  top_k.attention_GIN_MLP_GIN_threshold_mode = weft::ThresholdMode::top_k;
  top_k.attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length = 1.5;
  CHECK_THAT(refusal({}, top_k), ContainsSubstring("must be at most 1 with the threshold mode top_k"));
  top_k.attention_GIN_MLP_GIN_top_k_fraction_of_sequence_length = 0;  // one key at least
  CHECK(refusal({}, top_k).empty());
  GNNConfig steep = gin();
  steep.attention_GIN_MLP_GIN_sharp_softplus_beta = 0;
  steep.attention_GIN_MLP_GIN_threshold_mode = weft::ThresholdMode::sharp_softplus;
  CHECK_THAT(refusal({}, steep), ContainsSubstring("sharp_softplus_beta must be positive with the threshold mode"));
  steep.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA;
  CHECK_THAT(refusal({}, steep), ContainsSubstring("found 0"));
  steep.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA_LM;  // its steepness is 10 (quirk A28)
  CHECK(refusal({}, steep).empty());
  steep = gin();
  steep.attention_GIN_MLP_GIN_sharp_softplus_beta = 0;
  CHECK(refusal({}, steep).empty());
  CHECK_THAT(refusal({.num_key_value_heads = 8}, gin()), ContainsSubstring("num_key_value_heads must be hidden_size"));
  const LlamaConfig wide{.hidden_size = 64, .num_attention_heads = 8, .num_key_value_heads = 4, .head_dim = 16};
  CHECK_THAT(refusal(wide, gin()), ContainsSubstring("unless attention_GIN_MLP_o_proj_at_end is true"));
  GNNConfig raw = gin();
  raw.attention_GIN_MLP_GIN_use_softmax = false;
  CHECK_THAT(refusal({}, raw), ContainsSubstring("use_softmax must be true"));
}
