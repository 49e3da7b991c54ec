// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "weft/models/config.hpp"

#include "models/config_refusal.hpp"
#include "support/catch.hpp"

using Catch::Matchers::ContainsSubstring;
using weft::GNNConfig;
using weft::GNNFromAttention;
using weft::GNNMode;
using weft::GNNType;
using weft::LlamaConfig;
using weft::RopeType;
using weft::validate;
using weft::testing::gin;
using weft::testing::refusal;

namespace {

struct Scribe {
  static constexpr LlamaConfig llama{.vocab_size = 512,
                                     .hidden_size = 128,
                                     .intermediate_size = 256,
                                     .num_hidden_layers = 4,
                                     .num_attention_heads = 4,
                                     .num_key_value_heads = 4};
  static constexpr GNNConfig gnn{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN,
                                 .attention_GIN_MLP_multiplier = 0.5,
                                 .use_sharpening = true};
};
static_assert(validate(Scribe::llama, Scribe::gnn));
static_assert(validate({}, {.gnn_type = GNNType::causal_pna,
                            .gnn_mode = GNNMode::single,
                            .add_rope = true,
                            .use_GNN_from_attention = GNNFromAttention::LlamaAttentionPNA_LM,
                            .attention_GIN_MLP_GIN_threshold_value = -0.1,
                            .MLP_type = weft::MLPType::LlamaMLP_HalfwayGIN_MultiAggregation,
                            .semantics = weft::Semantics::intended,
                            .compatibility = {.pna_lm_negative_threshold = true}}));
static_assert(Scribe::llama.head_size() == 32);
static_assert(Scribe::gnn.gin_hidden_dim(Scribe::llama.head_size()) == 16);

}  // namespace

TEST_CASE("what the library builds is accepted") {
  CHECK(refusal({}).empty());
  CHECK(refusal({}, gin()).empty());
  CHECK(refusal({}, {.use_GNN_from_attention = GNNFromAttention::LlamaAttention_Original}).empty());
  CHECK(refusal({.num_attention_heads = 32, .num_key_value_heads = 8}).empty());
  CHECK(refusal({.hidden_size = 70, .num_attention_heads = 3, .head_dim = 6}).empty());
  CHECK(refusal({.rope_scaling = {.type = RopeType::llama3, .factor = 8}}).empty());
  // Half as many key-value heads, each twice as wide: GIN attention needs its output projection then.
  GNNConfig wide = gin();
  wide.attention_GIN_MLP_o_proj_at_end = true;
  CHECK(refusal({.hidden_size = 64, .num_attention_heads = 8, .num_key_value_heads = 4, .head_dim = 16}, wide).empty());
}

TEST_CASE("extents that do not fit each other are refused by name") {
  CHECK_THAT(refusal({.vocab_size = 0}), ContainsSubstring("vocab_size must be positive, found 0"));
  CHECK_THAT(refusal({.num_hidden_layers = -1}), ContainsSubstring("num_hidden_layers must be positive, found -1"));
  CHECK_THAT(refusal({.hidden_size = 100, .num_attention_heads = 3}),
             ContainsSubstring("num_attention_heads must be a divisor of hidden_size"));
  CHECK_THAT(refusal({.num_key_value_heads = 5}), ContainsSubstring("num_key_value_heads must be a divisor"));
  CHECK_THAT(refusal({.num_key_value_heads = 64}), ContainsSubstring("num_key_value_heads must be a divisor"));
  CHECK_THAT(refusal({.hidden_size = 15, .num_attention_heads = 3}), ContainsSubstring("head_dim must be even"));
  CHECK_THAT(refusal({.num_attention_heads = 1 << 20, .head_dim = 1 << 20}), ContainsSubstring("is an int"));
}

TEST_CASE("numbers outside of their range are refused by name") {
  CHECK_THAT(refusal({.rms_norm_eps = -1}), ContainsSubstring("rms_norm_eps must be at least 0"));
  CHECK_THAT(refusal({.rope_theta = 0}), ContainsSubstring("rope_theta must be positive"));
  CHECK_THAT(refusal({.rope_theta = std::numeric_limits<double>::quiet_NaN()}), ContainsSubstring("rope_theta"));
  CHECK_THAT(refusal({.attention_dropout = 1}), ContainsSubstring("attention_dropout must be in [0, 1), found 1"));
  CHECK_THAT(refusal({.rope_scaling = {.type = RopeType::linear, .factor = 0.5}}),
             ContainsSubstring("rope_scaling.factor must be at least 1"));
  CHECK_THAT(refusal({.rope_scaling = {.type = RopeType::llama3, .factor = 8, .low_freq_factor = 4}}),
             ContainsSubstring("rope_scaling.high_freq_factor must be above low_freq_factor"));
}

TEST_CASE("padding must be a row of the embedding, which other special tokens need not be") {
  CHECK_THAT(
      refusal({.vocab_size = 10, .pad_token_id = 10}),
      ContainsSubstring("pad_token_id must be a row of the embedding, at least -vocab_size and below vocab_size 10, "
                        "found 10"));
  CHECK_THAT(refusal({.vocab_size = 10, .pad_token_id = -11}), ContainsSubstring("found -11"));
  CHECK(refusal({.vocab_size = 10, .pad_token_id = -1}).empty());
  CHECK(LlamaConfig{.vocab_size = 10, .pad_token_id = -1}.padding_row() == 9);
  CHECK(LlamaConfig{.vocab_size = 10, .pad_token_id = 3}.padding_row() == 3);
  CHECK(LlamaConfig{}.padding_row() == -1);
  CHECK(refusal({.vocab_size = 271, .bos_token_id = 128000, .eos_token_id = {3, 128009}}).empty());
}

TEST_CASE("every kind of attention, feed-forward block and graph network is accepted") {
  for (int kind = 0; kind < 7; ++kind) {
    CHECK(refusal({}, {.use_GNN_from_attention = static_cast<GNNFromAttention>(kind), .num_latents_list = {64, 32}})
              .empty());
    CHECK(refusal({}, {.MLP_type = static_cast<weft::MLPType>(kind)}).empty());
  }
  for (const auto type : {GNNType::causal_gin, GNNType::causal_gcn, GNNType::causal_recombination}) {
    CHECK(refusal({}, {.gnn_type = type, .gnn_mode = GNNMode::single}).empty());
    CHECK(refusal({}, {.gnn_type = type, .gnn_mode = GNNMode::per_head}).empty());
  }
  CHECK(refusal({}, {.gnn_logic = weft::GNNLogic::parallel_GNN_MLP, .use_original_hidden_states = true}).empty());
}

TEST_CASE("a graph network that the reference cannot build is refused") {
  CHECK(refusal({}, {.gnn_mode = GNNMode::single}) ==
        "gnn_config.gnn_type must be one of \"causal_gin\", \"causal_gcn\", \"causal_pna\", \"causal_recombination\" "
        "where gnn_mode is not \"none\", found \"causal_gnn\"");
  GNNConfig pna{.gnn_type = GNNType::causal_pna, .gnn_mode = GNNMode::single};
  CHECK(
      refusal({}, pna) ==
      "gnn_config.gnn_type must be another unless pna_form is \"corrected\" (or semantics \"intended\"): the reference "
      "cannot build this one, found \"causal_pna\"");
  pna.compatibility.pna_form = weft::PNAForm::corrected;
  CHECK(refusal({}, pna).empty());
  pna.compatibility = {};
  pna.semantics = weft::Semantics::intended;
  CHECK(refusal({}, pna).empty());
  pna.compatibility.pna_form = weft::PNAForm::reference;
  CHECK_THAT(refusal({}, pna), ContainsSubstring("unless pna_form is"));
  const GNNConfig gin{.gnn_type = GNNType::causal_gin, .gnn_mode = GNNMode::single};
  const auto with = [&](auto&& change) {
    GNNConfig changed = gin;
    change(changed);
    return refusal({}, changed);
  };
  CHECK_THAT(with([](GNNConfig& g) { g.hidden_dim = 0; }), ContainsSubstring("hidden_dim must be positive"));
  CHECK_THAT(with([](GNNConfig& g) { g.dropout = 1; }), ContainsSubstring("gnn_config.dropout must be in [0, 1)"));
  const auto built_by = [&](weft::AdjacencyMethod method) {
    return with([&](GNNConfig& g) {
      g.adj_construction_method = method;
      g.adj_transform_hidden_dim = 0;
      g.threshold_any_tau = 0;
    });
  };
  CHECK(built_by(weft::AdjacencyMethod::sum).empty());
  CHECK_THAT(built_by(weft::AdjacencyMethod::threshold_any), ContainsSubstring("threshold_any_tau must be positive"));
  CHECK_THAT(built_by(weft::AdjacencyMethod::learnable_aggregate),
             ContainsSubstring("adj_transform_hidden_dim must be positive"));
  CHECK_THAT(with([](GNNConfig& g) { g.add_rope = true; }), ContainsSubstring("add_rope must be false with more than"));
  GNNConfig turned = gin;
  turned.add_rope = true;
  turned.compatibility.add_rope_per_head = true;
  CHECK(refusal({}, turned).empty());
  CHECK_THAT(refusal({.hidden_size = 70, .num_attention_heads = 7, .head_dim = 6}, turned),
             ContainsSubstring("add_rope must be false where the heads together are not as wide as hidden_size"));
}

TEST_CASE("numbers of causal_pna and of the GIN network's width are refused by name") {
  const GNNConfig pna{.hidden_dim = 6,
                      .gnn_type = GNNType::causal_pna,
                      .gnn_mode = GNNMode::single,
                      .semantics = weft::Semantics::intended};
  const auto with = [](GNNConfig gnn, auto&& change) {
    change(gnn);
    return refusal({}, gnn);
  };
  CHECK(with(pna, [](GNNConfig& g) { g.towers = 3; }).empty());
  for (const int towers : {0, -1, 4}) {
    CHECK(with(pna, [&](GNNConfig& g) { g.towers = towers; }) ==
          weft::concat("gnn_config.towers must be a positive divisor of hidden_dim, found ", towers));
  }
  CHECK(with(pna, [](GNNConfig& g) { g.pre_layers = 0; }) == "gnn_config.pre_layers must be positive, found 0");
  CHECK(with(pna, [](GNNConfig& g) { g.post_layers = 0; }) == "gnn_config.post_layers must be positive, found 0");
  CHECK(with(pna, [](GNNConfig& g) { g.aggregators = {}; }) ==
        "gnn_config.aggregators must be a list of one name or more, found 0");
  CHECK(with(pna, [](GNNConfig& g) { g.scalers = {}; }) ==
        "gnn_config.scalers must be a list of one name or more, found 0");
  CHECK(with(pna, [](GNNConfig& g) { g.act = weft::GNNActivation::prelu; }) ==
        "gnn_config.act must be one of \"relu\", \"tanh\", \"gelu\", found \"prelu\"");
  CHECK(with(pna, [](GNNConfig& g) { g.edge_dim = -3; }) ==
        "gnn_config.edge_dim must be at least 0, which stands for hidden_dim, found -3");
  const GNNConfig gin{.gnn_type = GNNType::causal_gin, .gnn_mode = GNNMode::single};
  for (const double multiplier : {0.001, 1e12, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THAT(with(gin, [&](GNNConfig& g) { g.GIN_hidden_dim_multiplier = multiplier; }),
               ContainsSubstring("GIN_hidden_dim_multiplier must be such that hidden_dim times it is a width, found "));
  }
}

TEST_CASE("what holds for every graph configuration is checked always") {
  CHECK(refusal({}, {.threshold = -0.5}) == "gnn_config.threshold must be at least 0, found -0.5");
  CHECK(
      refusal({}, {.compatibility = {.norm_zero_guard = false, .compute_dtype = weft::ComputeDtype::storage}}).empty());
}

TEST_CASE("one word sets every switch, and a switch set by itself stands") {
  constexpr GNNConfig reference{};
  constexpr GNNConfig intended{.semantics = weft::Semantics::intended};
  static_assert(reference.switches() != intended.switches());
  int meaningful = 0;
  weft::Compatibility one = reference.switches();
  weft::visit_compatibility(one, [&](const char* name, auto& value, auto in_reference, auto in_intended) {
    INFO(name);
    CHECK(*value == in_reference);
    if (in_reference == in_intended) return;
    ++meaningful;
    value = in_intended;
    CHECK(weft::resolve(one, weft::Semantics::reference) == one);
    CHECK(one != reference.switches());
  });
  CHECK(meaningful == 17);
  CHECK(one == intended.switches());
  constexpr GNNConfig mixed{.semantics = weft::Semantics::intended, .compatibility = {.pna_max = weft::PNAMax::self}};
  static_assert(mixed.switches().pna_max == weft::PNAMax::self);
  static_assert(mixed.switches().cg_mask == weft::CGMask::group_causal);
}

TEST_CASE("a set of token ids has an end") {
  weft::TokenIds ids{1, 2, 3, 4, 5, 6, 7, 8};
  CHECK(ids.contains(8));
  CHECK_THROWS_WITH(ids.push_back(9), ContainsSubstring("at most 8 ids"));
}
