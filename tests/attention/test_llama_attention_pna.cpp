// SPDX-License-Identifier: Apache-2.0
#include "weft/attention/llama_attention_pna.hpp"
#include "weft/autograd/gradcheck.hpp"

#include "attention/pna_layers.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

template <class Layer>
bool derivatives_agree(Layer layer) {
  randomize_parameters(layer, 3, 0.6);
  const AttentionPositions<double> positions(4, 2);
  auto x = random_tensor<double>(Rows(2, 4, 6), 1);
  auto residual = random_tensor<double>(Rows(2, 4, 6), 2);
  const auto result =
      gradcheck([&](auto& context, auto& in, auto& r) { return layer(context, in, positions.inputs(), r); },
                std::tie(x, residual), layer);
  INFO(result.message);
  CHECK(result.passed);
  return result.passed;
}

}  // namespace

TEST_CASE("the derivatives of PNA attention agree with finite differences") {
  auto options = small();
  CHECK(derivatives_agree(PNA<double>(options)));
  CHECK(derivatives_agree(PNA_LM<double>(options)));
  options.bias = options.mlp_bias = true;
  options.pna_max = PNAMax::neighbours;
  options.threshold.mode = ThresholdMode::softplus;
  options.learnable_threshold = true;
  CHECK(derivatives_agree(PNA<double>(options)));
  options.threshold.mode = ThresholdMode::none;
  options.pna_lm_fallback = PNAFallback::self;
  CHECK(derivatives_agree(PNA<double>(options)));
  CHECK(derivatives_agree(LlamaAttentionPNA<6, 4, 2, 2, Dyn, double>(options)));
  CHECK(derivatives_agree(LlamaAttentionPNA_LM<6, 4, 2, 2, 3, double>(options)));
}

TEST_CASE("a row without positive entry is guarded, or infinite as in the reference") {
  auto options = small();
  options.threshold.mode = ThresholdMode::scaled_topk_causal_4d;  // row 0 is empty
  const auto x = random_tensor<float>(Rows(1, 3, 6), 1);
  PNA<> guarded(options);
  randomize_parameters(guarded, 3, 0.6);
  for (const float value : run(guarded, x)) CHECK(std::isfinite(value));
  options.pna_empty_max = PNAEmptyMax::minus_inf;
  PNA<> infinite(options);
  randomize_parameters(infinite, 3, 0.6);
  const auto y = run(infinite, x);
  CHECK_FALSE(std::isfinite(y[0]));
  CHECK(std::isfinite(y[17]));
}

TEST_CASE("with_weights gives the weights before the threshold mode, on the tape") {
  auto options = small();
  options.threshold.mode = ThresholdMode::binary;
  PNA<> layer(options);
  randomize_parameters(layer, 3, 0.6);
  const AttentionPositions<float> positions(5, 2);
  auto x = random_tensor<float>(Rows(1, 5, 6), 1);
  Tape tape;
  const auto xs = tape.watch(x);
  const auto [output, weights] = layer.with_weights(tape, xs, positions.inputs());
  CHECK(to_vector(output) == run(layer, x));
  for (Index row = 0; row < 4 * 5; ++row) {
    double sum = 0;
    for (Index j = 0; j < 5; ++j) sum += weights.data()[row * 5 + j];
    CHECK(sum == Approx(1.0));
  }
  const auto seed = random_tensor<float>(Shape<Dyn, Dyn, Dyn, Dyn>(1, 4, 5, 5), 2);
  tape.backward(weights, TensorView<const float, ShapeOf<decltype(weights)>>(
                             seed.data(), ShapeOf<decltype(weights)>::from(seed.shape().extents())));
  CHECK(layer.q_proj.weight.has_gradient());
  CHECK_FALSE(layer.v_proj.weight.has_gradient());
}

TEST_CASE("PNA attention refuses what cannot be computed") {
  auto options = small();
  options.use_softmax = options.use_ReLU_instead_of_softmax = false;
  CHECK_THROWS_WITH(PNA<>(options), Catch::Matchers::ContainsSubstring("would sum values with the mask itself"));
  CHECK_NOTHROW(PNA_LM<>(options));  // always takes the ReLU
  options = small();
  options.threshold_value = -0.1;
  CHECK_THROWS_WITH(PNA_LM<>(options), Catch::Matchers::ContainsSubstring("pna_lm_negative_threshold allows it"));
  options.pna_lm_negative_threshold = true;
  CHECK_FALSE(PNA_LM<>(options).incremental());
  options = small();
  options.key_value_heads = 3;
  CHECK_THROWS_WITH(PNA<>(options), "LlamaAttentionPNA: key_value_heads must divide heads, found 3 and 4");
  options = small();
  options.threshold.mode = ThresholdMode::top_k;
  options.threshold.top_k_fraction = 1.5;
  CHECK_THROWS_WITH(PNA_LM<>(options), Catch::Matchers::ContainsSubstring("top_k_fraction must be at most 1"));
}

TEST_CASE("a steepness that sharp_softplus would divide by is positive, but for PNA_LM, which has its own") {
  auto options = small();
  options.threshold.mode = ThresholdMode::sharp_softplus;
  options.threshold.softplus_beta = 0;
  CHECK_THROWS_WITH(PNA<>(options),
                    "LlamaAttentionPNA: softplus_beta must be positive in the mode sharp_softplus, "
                    "found 0");
  CHECK_NOTHROW(PNA_LM<>(options));
}

TEST_CASE("a threshold learned to below 0 counts as 0 where PNA_LM picks neighbours, unless it may be negative") {
  auto options = small();
  options.learnable_threshold = true;
  options.threshold_value = 0;
  const auto x = random_tensor<float>(Rows(1, 5, 6), 1);
  const auto learned = [&](bool negative, float threshold) {
    options.pna_lm_negative_threshold = negative;
    PNA_LM<> layer(options);
    randomize_parameters(layer, 3, 0.6);
    layer.threshold->data()[0] = threshold;
    return run(layer, x);
  };
  CHECK(learned(false, -0.1F) == learned(false, 0));
  CHECK(learned(true, 0) == learned(false, 0));
  // Below every entry all tokens are neighbours, the later ones too, so that all threshold values do the same.
  CHECK(learned(true, -0.1F) != learned(false, 0));
  CHECK(learned(true, -0.1F) == learned(true, -0.2F));
}

TEST_CASE("packed sequences give what they give alone") {
  auto options = small();
  for (const PNAMax max : {PNAMax::self, PNAMax::neighbours}) {
    options.pna_max = max;
    const auto check = [&](auto layer) {
      randomize_parameters(layer, 3, 0.6);
      const auto x = random_tensor<double>(Rows(1, 7, 6), 1);
      const AttentionPositions<double> own(4, 2);
      AttentionPositions<double> positions(7, 2);
      std::copy_n(own.cos.data(), 8, positions.cos.data() + 6);
      std::copy_n(own.sin.data(), 8, positions.sin.data() + 6);
      const std::int32_t first[] = {0, 0, 0, 3, 3, 3, 3};
      auto inputs = positions.inputs();
      inputs.first_key = first;
      Inference inference;
      const auto packed = to_vector(layer(inference, x, inputs));
      Tensor<double, Rows> second(Rows(1, 4, 6));
      std::copy_n(x.data() + 18, 24, second.data());
      const auto alone = to_vector(layer(inference, second, own.inputs()));
      CHECK(largest_difference(std::vector<double>(packed.begin() + 18, packed.end()), alone) < 1e-12);
    };
    check(PNA<double>(options));
    check(PNA_LM<double>(options));
  }
}

TEST_CASE("PNA attention drops the weights that it returns, with the right derivatives") {
  auto options = small();
  options.attention_dropout = 0.4;
  for (const PNAMax max : {PNAMax::self, PNAMax::neighbours}) {
    options.pna_max = max;
    PNA<double> layer(options);
    randomize_parameters(layer, 3, 0.6);
    const AttentionPositions<double> positions(6, 2);
    auto x = random_tensor<double>(Rows(1, 6, 6), 1);
    const auto seed = random_tensor<double>(Rows(1, 6, 6), 2);
    // The output with the same stream each time, weighted, and its derivative.
    const auto value = [&](Tape& tape, const auto& in) {
      tape.enable_dropout(Rng(5));
      return layer(tape, in, positions.inputs());
    };
    Tape tape;
    const auto xs = tape.watch(x);
    const auto y = value(tape, xs);
    tape.backward(y, TensorView<const double, Rows>(seed.data(), seed.shape()));
    const auto gradient = to_vector(tape.gradient(xs));
    const auto weighted = [&] {
      Tape own;
      const auto result = value(own, x);
      double sum = 0;
      for (Index i = 0; i < result.size(); ++i) sum += seed.data()[i] * result.data()[i];
      return sum;
    };
    for (Index i = 0; i < x.size(); i += 5) {
      const double before = x.data()[i];
      x.data()[i] = before + 1e-6;
      const double above = weighted();
      x.data()[i] = before - 1e-6;
      const double below = weighted();
      x.data()[i] = before;
      CHECK(gradient[static_cast<std::size_t>(i)] == Approx((above - below) / 2e-6).margin(1e-5).epsilon(1e-3));
    }
    Tape other;
    other.enable_dropout(Rng(5));
    const auto [output, weights] = layer.with_weights(other, x, positions.inputs());
    CHECK(to_vector(output) == to_vector(y));
    Index dropped = 0;
    for (Index row = 0; row < 4 * 6; ++row) {
      for (Index j = 0; j <= row % 6; ++j) dropped += weights.data()[row * 6 + j] == 0 ? 1 : 0;
    }
    CHECK(dropped > 20);
    CHECK(dropped < 50);
  }
}

TEST_CASE("PNA attention stays finite for one token, one head and padding") {
  auto options = small();
  options.hidden_size = options.head_dim = 2;
  options.heads = options.key_value_heads = 1;
  for (const bool neighbours : {false, true}) {
    options.pna_max = neighbours ? PNAMax::neighbours : PNAMax::self;
    PNA<> pna(options);
    PNA_LM<> selecting(options);
    randomize_parameters(pna, 3, 0.6);
    randomize_parameters(selecting, 3, 0.6);
    const auto one = random_tensor<float>(Rows(1, 1, 2), 1);
    for (const float value : run(pna, one)) CHECK(std::isfinite(value));
    for (const float value : run(selecting, one)) CHECK(std::isfinite(value));
    const auto x = random_tensor<float>(Rows(1, 4, 2), 2);
    const std::int32_t valid[] = {0, 0, 1, 1};
    const AttentionPositions<float> positions(4, 2);
    auto inputs = positions.inputs();
    inputs.key_valid = valid;
    Inference inference;
    for (const float value : to_vector(pna(inference, x, inputs))) CHECK(std::isfinite(value));
    for (const float value : to_vector(selecting(inference, x, inputs))) CHECK(std::isfinite(value));
  }
}
