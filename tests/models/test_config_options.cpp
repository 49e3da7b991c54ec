// SPDX-License-Identifier: Apache-2.0

#include "weft/attention/llama_attention_pna.hpp"
#include "weft/models/config_graph_options.hpp"
#include "weft/models/config_options.hpp"

#include "support/catch.hpp"

using namespace weft;

namespace {

constexpr LlamaConfig llama{.hidden_size = 24, .num_attention_heads = 4, .attention_dropout = 0.25};
constexpr GNNConfig as_reference{};
constexpr GNNConfig as_intended{.semantics = Semantics::intended};

}  // namespace

TEST_CASE("the layers' options are the reference's unless the semantics say otherwise") {
  const auto gin = gin_options(llama, as_reference);
  CHECK_FALSE(gin.threshold.respects_mask);
  CHECK_FALSE(gin.threshold.drop_below_threshold);
  CHECK(gin.threshold.topk_ties == TopKTies::libstdcxx);
  CHECK_FALSE(gin.mask_after_scaling);
  CHECK(gin.gin.self_term == GINSelfTerm::epsilon);
  const auto pna = pna_options(llama, as_reference);
  CHECK(pna.pna_max == PNAMax::self);
  CHECK(pna.pna_empty_max == PNAEmptyMax::guard);
  CHECK(pna.pna_lm_fallback == PNAFallback::first_token);
  CHECK(cg_options(llama, as_reference).cg_mask == CGMask::reference);
  CHECK(cg_interpolate_options(llama, as_reference).scaling.adjacency == CGIAdjacency::reference);
  CHECK_FALSE(cg_interpolate_options(llama, as_reference).scaling.mask_local);
  const auto mlp = multi_aggregation_options(llama, as_reference);
  CHECK(mlp.multiagg_future_mask == FutureMask::soft_log);
  CHECK(mlp.multiagg_max == MultiAggregationMax::self);
  CHECK(mlp.negative_weights == NegativeWeights::refuse);
}

TEST_CASE("the intended semantics reach every layer's options") {
  const auto gin = gin_options(llama, as_intended);
  CHECK(gin.threshold.respects_mask);
  CHECK(gin.threshold.drop_below_threshold);
  CHECK(gin.threshold.topk_ties == TopKTies::lowest_index);
  CHECK(gin.mask_after_scaling);
  CHECK(gin.gin.self_term == GINSelfTerm::one_plus_epsilon);
  const auto pna = pna_options(llama, as_intended);
  CHECK(pna.threshold.respects_mask);
  CHECK(pna.pna_max == PNAMax::neighbours);
  CHECK(pna.pna_lm_fallback == PNAFallback::self);
  CHECK(cg_options(llama, as_intended).cg_mask == CGMask::group_causal);
  CHECK(cg_interpolate_options(llama, as_intended).scaling.adjacency == CGIAdjacency::active_latents);
  CHECK(cg_interpolate_options(llama, as_intended).scaling.mask_local);
  const auto mlp = multi_aggregation_options(llama, as_intended);
  CHECK(mlp.multiagg_future_mask == FutureMask::hard);
  CHECK(mlp.multiagg_max == MultiAggregationMax::neighbours);
  CHECK(mlp.negative_weights == NegativeWeights::clamp);
}

TEST_CASE("a switch set by itself reaches its layer") {
  GNNConfig gnn = as_intended;
  gnn.compatibility = {.mask_after_scaling = false, .pna_empty_max = PNAEmptyMax::minus_inf};
  CHECK_FALSE(gin_options(llama, gnn).mask_after_scaling);
  CHECK(pna_options(llama, gnn).pna_empty_max == PNAEmptyMax::minus_inf);
  CHECK_FALSE(pna_options(llama, gnn).pna_lm_negative_threshold);
  gnn.compatibility.pna_lm_negative_threshold = true;
  CHECK(pna_options(llama, gnn).pna_lm_negative_threshold);
  constexpr LlamaConfig tied{.tie_word_embeddings = true};
  CHECK(model_options(tied).tie_word_embeddings);
  CHECK_FALSE(model_options(tied, {.compatibility = {.tie_on_construct = false}}).tie_word_embeddings);
}

TEST_CASE("hidden_act names an activation of its own each") {
  CHECK(activation_of(HiddenAct::silu) == Activation::silu);
  CHECK(activation_of(HiddenAct::gelu) == Activation::gelu);
  CHECK(activation_of(HiddenAct::gelu_pytorch_tanh) == Activation::gelu_tanh);
  CHECK(activation_of(HiddenAct::relu) == Activation::relu);
  CHECK(activation_of(HiddenAct::sigmoid) == Activation::sigmoid);
  CHECK(activation_of(HiddenAct::tanh) == Activation::tanh);
  CHECK(activation_of(HiddenAct::linear) == Activation::identity);
}

TEST_CASE("dropout of the model reaches attention, and that of GIN layers is another") {
  CHECK(attention_options(llama).attention_dropout == 0.25);
  CHECK(gin_options(llama, as_reference).attention_dropout == 0.25);
  CHECK(pna_options(llama, as_reference).attention_dropout == 0.25);
  CHECK(perceiver_options(llama, as_reference).attention_dropout == 0.25);
  CHECK(gin_options(llama, {.dropout = 0.5}).gin.dropout_rate == 0.1);  // quirk C6
}

TEST_CASE("the sparse graph network gets its numbers, its place among the layers and its switches") {
  constexpr LlamaConfig three{.hidden_size = 24, .num_hidden_layers = 3, .num_attention_heads = 4};
  GNNConfig gnn{.num_layers = 2,
                .hidden_dim = 10,
                .activation = GNNActivation::prelu,
                .dropout = 0.3,
                .gnn_type = GNNType::causal_gin,
                .gnn_mode = GNNMode::per_head,
                .GIN_use_norm = true,
                .lambda_GNN_initial = 0.0,
                .threshold = 0.1,
                .epsilon_threshold = 0.6};
  const auto options = graph_options(three, gnn, 1);
  CHECK(options.per_head);
  CHECK(options.gnn.type == GraphType::causal_gin);
  CHECK(options.gnn.activation == GraphActivation::prelu);
  CHECK(options.gnn.num_layers == 2);
  CHECK(options.gnn.dropout == 0.3);
  CHECK(options.gnn.gin.norm == GraphNormKind::layer);
  CHECK(options.gnn.gin.self_term == GINSelfTerm::epsilon);
  CHECK(options.adjacency.threshold == 0.1);
  CHECK(options.adjacency.epsilon_threshold == 0.6);
  CHECK_FALSE(options.adjacency.respects_mask);
  CHECK(options.edge_direction == EdgeDirection::reference);
  CHECK(GraphAdapter<24>::initial_scale(options) == 0.25);  // half way from 0 to lambda_GNN
  gnn.semantics = Semantics::intended;
  const auto intended = graph_options(three, gnn, 1);
  CHECK(intended.gnn.gin.self_term == GINSelfTerm::one_plus_epsilon);
  CHECK(intended.adjacency.respects_mask);
  CHECK(intended.edge_direction == EdgeDirection::key_to_query);
  CHECK(intended.norm_zero_guard);
  CHECK_FALSE(options.add_rope_per_head);
  CHECK(intended.add_rope_per_head);
  gnn.compatibility.norm_zero_guard = false;
  CHECK_FALSE(graph_options(three, gnn, 1).norm_zero_guard);
  CHECK(intended.adjacency.distance_zero_guard);
  gnn.compatibility.distance_zero_guard = false;
  CHECK_FALSE(graph_options(three, gnn, 1).adjacency.distance_zero_guard);
  CHECK_THROWS_WITH(graph_type(GNNType::causal_gnn), Catch::Matchers::ContainsSubstring("names no kind of layer"));
}

TEST_CASE("a decoder layer gives nobody bare scores for weights") {
  using PNA = LlamaAttentionPNA<Dyn, Dyn, Dyn, Dyn>;
  using Layer = GraphDecoderLayer<Dyn, PNA, NoMLP, NoGraph>;
  GNNConfig gnn{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA,
                .attention_GIN_MLP_GIN_threshold_mode = ThresholdMode::sigmoid_elementwise,
                .attention_GIN_MLP_GIN_use_softmax = false,
                .attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax = false};
  GraphDecoderLayerOptions options{.mlp_uses_weights = true, .hidden_size = 24};
  CHECK_THROWS_WITH(Layer(PNA(pna_options(llama, gnn)), NoMLP(), std::nullopt, options),
                    Catch::Matchers::ContainsSubstring("scores with the mask in them"));
  gnn.attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax = true;
  CHECK_NOTHROW(Layer(PNA(pna_options(llama, gnn)), NoMLP(), std::nullopt, options));
  gnn.attention_GIN_MLP_GIN_use_ReLU_instead_of_softmax = options.mlp_uses_weights = false;
  CHECK_NOTHROW(Layer(PNA(pna_options(llama, gnn)), NoMLP(), std::nullopt, options));
  const auto network_sums = [](GNNMode mode, bool zero_below_epsilon) {
    return GraphAdapter<24>(graph_options(llama, {.gnn_type = GNNType::causal_gin,
                                                  .gnn_mode = mode,
                                                  .zero_below_epsilon_threshold = zero_below_epsilon}))
        .sums_scores();
  };
  CHECK(network_sums(GNNMode::single, false));
  CHECK_FALSE(network_sums(GNNMode::single, true));
  CHECK_FALSE(network_sums(GNNMode::per_head, false));
}

TEST_CASE("causal_pna has its statistics and widths from the configuration") {
  const GNNConfig gnn{.hidden_dim = 10,
                      .gnn_type = GNNType::causal_pna,
                      .aggregators = {PNAAggregator::max, PNAAggregator::sum},
                      .scalers = {PNAScaler::identity},
                      .towers = 2,
                      .act = GNNActivation::tanh,
                      .compatibility = {.pna_form = PNAForm::corrected}};
  const auto options = graph_pna_options(gnn);
  CHECK(options.form == PNAForm::corrected);
  CHECK(graph_pna_options(as_reference).form == PNAForm::reference);
  CHECK(options.edge_dim == 10);
  CHECK(options.towers == 2);
  CHECK(options.rules.aggregators.count == 2);
  CHECK(options.rules.aggregators[0] == PNAAggregator::max);
  CHECK(options.rules.scalers.count == 1);
  CHECK(options.act == GraphActivation::tanh);
}
