// SPDX-License-Identifier: Apache-2.0
// What standard and PNA attention promise beside their values.
#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_pna.hpp"

#include "attention/attention_positions.hpp"
#include "support/layer_checks.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Rows = Shape<Dyn, Dyn, Dyn>;

/// All promises of a causal attention layer, hidden states of width 8 and heads of width `head_dim`.
template <class Layer>
void check_attention(Layer layer, Index head_dim) {
  randomize_parameters(layer, 3, 0.5);
  const auto on = [&](const AttentionInputs<float>& inputs) {
    return [&layer, inputs](auto& context, const auto& x) { return layer(context, x, inputs); };
  };
  auto x = random_tensor<float>(Rows(2, 70, 8), 1);
  const AttentionPositions<float> many(70, head_dim), few(9, head_dim), single(1, head_dim);
  check_promises(on(many.inputs()), layer, x);
  auto text = random_tensor<float>(Rows(1, 9, 8), 2);
  CHECK(looks_only_back(on(few.inputs()), text));
  auto token = random_tensor<float>(Rows(1, 1, 8), 3);
  CHECK(stays_finite(on(single.inputs()), layer, token));
  const std::int32_t padding[] = {0, 0, 0, 1, 1, 1, 1, 1, 0};
  auto inputs = few.inputs();
  inputs.key_valid = padding;
  CHECK(stays_finite(on(inputs), layer, text));
}

LlamaAttentionPNAOptions pna_options(PNAMax max, ThresholdMode mode) {
  LlamaAttentionPNAOptions options;
  options.hidden_size = 8;
  options.heads = 4;
  options.key_value_heads = 2;
  options.head_dim = 2;
  options.learnable_threshold = mode != ThresholdMode::none;
  options.pna_max = max;
  options.threshold.mode = mode;
  return options;
}

}  // namespace

TEST_CASE("standard attention keeps every promise") {
  using Layer = LlamaAttention<Dyn, Dyn, Dyn, Dyn>;
  check_attention(Layer({.bias = true, .hidden_size = 8, .heads = 4, .key_value_heads = 2, .head_dim = 2}), 2);
  check_attention(Layer({.hidden_size = 8, .heads = 1, .key_value_heads = 1, .head_dim = 6}), 6);
}

TEST_CASE("PNA attention keeps every promise, whatever its maximum") {
  for (const PNAMax max : {PNAMax::self, PNAMax::neighbours}) {
    for (const auto mode : {ThresholdMode::none, ThresholdMode::silu, ThresholdMode::scaled_topk_causal_4d}) {
      CAPTURE(int(max), int(mode));
      check_attention(LlamaAttentionPNA<Dyn, Dyn, Dyn, Dyn>(pna_options(max, mode)), 2);
    }
  }
  for (const auto mode : {ThresholdMode::none, ThresholdMode::silu}) {
    auto options = pna_options(PNAMax::self, mode);
    options.threshold_value = 0.05;
    CAPTURE(int(mode));
    check_attention(LlamaAttentionPNA_LM<Dyn, Dyn, Dyn, Dyn>(options), 2);
  }
}

TEST_CASE("standard attention's derivatives agree with finite differences, static and dynamic") {
  auto x = random_tensor<double>(Rows(2, 4, 8), 1);
  auto residual = random_tensor<double>(Shape<2, 4, 8>(), 2);
  const AttentionPositions<double> positions(4, 2);
  const auto check = [&](auto layer) {
    randomize_parameters(layer, 3, 0.6);
    const auto run = [&](auto& context, auto& in, auto& r) { return layer(context, in, positions.inputs(), r); };
    const auto both = [&](auto& context, auto& in) { return layer(context, in, positions.inputs(), in); };
    return gradcheck(run, std::tie(x, residual), layer).passed && gradcheck(both, std::tie(residual), layer).passed;
  };
  CHECK(check(LlamaAttention<8, 4, 2, 2, double>()));
  CHECK(check(LlamaAttention<Dyn, Dyn, Dyn, Dyn, double>(
      {.bias = true, .hidden_size = 8, .heads = 4, .key_value_heads = 1, .head_dim = 2})));
}

TEST_CASE("standard attention refuses heads that cannot be shared out or turned") {
  using Layer = LlamaAttention<Dyn, Dyn, Dyn, Dyn>;
  CHECK_THROWS_WITH(Layer({.hidden_size = 8, .heads = 4, .key_value_heads = 3, .head_dim = 2}),
                    "LlamaAttention: key_value_heads must divide heads, found 3 and 4");
  CHECK_THROWS_WITH(Layer({.hidden_size = 8, .heads = 4, .key_value_heads = 2, .head_dim = 3}),
                    "LlamaAttention: head_dim must be even, because the rotary embedding turns pairs, found 3");
  auto options = pna_options(PNAMax::self, ThresholdMode::none);
  options.head_dim = 5;
  CHECK_THROWS_WITH((LlamaAttentionPNA_LM<Dyn, Dyn, Dyn, Dyn>(options)),
                    "LlamaAttentionPNA_LM: head_dim must be even, because the rotary embedding turns pairs, found 5");
}

TEST_CASE("attention without rotary tables is refused by name") {
  const auto x = random_tensor<float>(Rows(1, 3, 8), 1);
  Inference inference;
  const LlamaAttention<Dyn, Dyn, Dyn, Dyn> standard(
      {.hidden_size = 8, .heads = 4, .key_value_heads = 2, .head_dim = 2});
  CHECK_THROWS_WITH(standard(inference, x, {}), Catch::Matchers::ContainsSubstring("rotary_embedding(x, cos, sin"));
  const LlamaAttentionPNA<Dyn, Dyn, Dyn, Dyn> pna(pna_options(PNAMax::self, ThresholdMode::none));
  CHECK_THROWS_WITH(pna(inference, x, {}), Catch::Matchers::ContainsSubstring("rotary_embedding(x, cos, sin"));
}

TEST_CASE("PNA_LM rounds the width of its networks down, where the reference takes whole multipliers alone") {
  auto options = pna_options(PNAMax::self, ThresholdMode::none);
  options.multiplier = 1.75;
  const LlamaAttentionPNA_LM<Dyn, Dyn, Dyn, Dyn> layer(options);
  CHECK(layer.aggregator_mlps_0[0].weight.extent(0) == 3);
}
