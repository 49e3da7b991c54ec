// SPDX-License-Identifier: Apache-2.0
// What GIN attention, its layers and its norm promise beside their values.
#include "weft/attention/adj_rms_norm.hpp"
#include "weft/attention/llama_attention_gin.hpp"

#include "attention/attention_positions.hpp"
#include "attention/gin_kinds.hpp"
#include "support/layer_checks.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("GIN attention keeps every promise with every kind of adjacency") {
  const AttentionPositions<float> positions(40, 4);
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 40, 8), 1);
  for (auto [name, options] : all_kinds()) {
    INFO(name);
    LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn> layer(options);
    randomize_parameters(layer, 10, 0.6);
    const auto run = [&](auto& context, const auto& h) { return layer(context, h, positions.inputs()); };
    check_promises(run, layer, x);
  }
}

TEST_CASE("GIN attention of one head, one token and one text is finite with every kind of adjacency") {
  const AttentionPositions<float> positions(1, 8);
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 1, 8), 1);
  for (auto [name, options] : all_kinds()) {
    INFO(name);
    options.heads = options.key_value_heads = 1;
    options.head_dim = 8;
    LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn> layer(options);
    randomize_parameters(layer, 10, 0.6);
    const auto run = [&](auto& context, const auto& h) { return layer(context, h, positions.inputs()); };
    CHECK(stays_finite(run, layer, x));
  }
}

TEST_CASE("GINLayer keeps every promise, on graphs without edges too") {
  GINLayer<Dyn, Dyn> layer({}, 9, 17);
  randomize_parameters(layer, 5, 0.5);
  const auto run = [&](auto& context, const auto& h, const auto& a) { return layer(context, h, a); };
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 70, 9), 1);
  auto adjacency = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 70, 70), 2, 0.1);
  check_promises(run, layer, x, adjacency);
  for (float& edge : adjacency.span()) edge = 0;
  CHECK(stays_finite(run, layer, x, adjacency));
  const Tensor<float, Shape<Dyn, Dyn, Dyn>> wide(Shape<Dyn, Dyn, Dyn>(1, 3, 10)), edges(Shape<Dyn, Dyn, Dyn>(1, 3, 3));
  Inference inference;
  CHECK_THROWS_WITH(layer(inference, wide, edges),
                    "GINLayer: x must have input_dim features, found 10 (shape [1, 3, 10]) and 9 (shape [9])");
}

TEST_CASE("AdjRMSNorm keeps every promise, for adjacencies of zeros too") {
  AdjRMSNorm<float> layer;
  const auto run = [&](auto& context, const auto& a) { return layer(context, a); };
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn, Dyn>(3, 2, 70, 70), 1);
  check_promises(run, layer, x);
  for (float& edge : x.span()) edge = 0;
  CHECK(stays_finite(run, layer, x));
}

TEST_CASE("the scoring network's weights can be had for any number of heads, with a mask or without") {
  const AttentionPositions<float> positions(5, 4);
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 5, 8), 1);
  const auto options = small_gin([](LlamaAttentionGINOptions& o) { o.use_scoring_fnct = true; });
  LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn> layer(options);
  randomize_parameters(layer, 10, 0.6);
  Inference inference;
  auto unmasked = positions.inputs();
  unmasked.causal = false;
  const auto weights = layer.scoring_weights(inference, x, positions.inputs());
  REQUIRE(weights.extent(1) == 2);
  for (Index row = 0; row < 10; ++row) {
    float sum = 0;
    for (Index j = 0; j < 5; ++j) sum += weights.data()[row * 5 + j];
    CHECK(sum == Approx(1));
    for (Index j = row % 5 + 1; j < 5; ++j) CHECK(weights.data()[row * 5 + j] == 0);
  }
  CHECK(layer.scoring_weights(inference, x, unmasked).extent(3) == 5);
}
