// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "weft/attention/llama_attention_pna.hpp"

#include "attention/pna_layers.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

/// Whether changing the last token changes no other row.
template <class Layer>
bool causal(Layer layer) {
  randomize_parameters(layer, 3, 0.6);
  auto x = random_tensor<float>(Rows(1, 70, 6), 1);
  const auto before = run(layer, x);
  for (Index c = 0; c < 6; ++c) x(0, 69, c) += 2;
  const auto after = run(layer, x);
  return std::equal(before.begin(), before.end() - 6, after.begin()) &&
         !std::equal(before.end() - 6, before.end(), after.end() - 6);
}

/// The largest difference between decoding in pieces and all tokens at once.
template <class Layer>
double decoding_error(Layer layer) {
  randomize_parameters(layer, 3, 0.6);
  const Index tokens = 9;
  const auto x = random_tensor<float>(Rows(1, tokens, 6), 1);
  const auto expected = run(layer, x);
  std::vector<float> keys(static_cast<std::size_t>(12 * layer.key_width())), values(keys);
  CachedKeysValues<float> cache{keys.data(), values.data(), 12, 0, layer.key_width(), layer.value_width()};
  double worst = 0;
  for (const Index count : {Index{4}, Index{1}, Index{1}, Index{3}}) {
    const AttentionPositions<float> positions(count, 2, cache.length);
    auto inputs = positions.inputs();
    inputs.cache = cache;
    Tensor<float, Rows> own(Rows(1, count, 6));
    std::copy_n(x.data() + cache.length * 6, count * 6, own.data());
    Inference inference;
    const auto y = layer(inference, own, inputs);
    const auto [output, weights] = layer.with_weights(inference, own, inputs);
    REQUIRE(to_vector(output) == to_vector(y));
    const auto all_weights = layer.attention_weights(inference, x, AttentionPositions<float>(tokens, 2).inputs());
    for (Index i = 0; i < count * weights.extent(3); ++i) {
      const Index row = cache.length + i / weights.extent(3);
      const double want = all_weights(0, 0, row, i % weights.extent(3));
      worst = std::max(worst, std::abs(static_cast<double>(weights.data()[i]) - want));
    }
    for (Index i = 0; i < count * 6; ++i) {
      const float want = expected[static_cast<std::size_t>(cache.length * 6 + i)];
      worst = std::max(worst, std::abs(static_cast<double>(y.data()[i] - want)));
    }
    cache.length += count;
  }
  return worst;
}

}  // namespace

TEST_CASE("a later token changes no earlier row of PNA attention") {
  auto options = small();
  CHECK(causal(PNA<>(options)));
  CHECK(causal(PNA_LM<>(options)));
  options.pna_max = PNAMax::neighbours;
  CHECK(causal(PNA<>(options)));
  options.threshold.mode = ThresholdMode::silu;
  CHECK(causal(PNA<>(options)));
  CHECK(causal(PNA_LM<>(options)));
}

TEST_CASE("PNA attention decodes with a cache what it computes at once") {
  auto options = small();
  CHECK(decoding_error(PNA<>(options)) < 1e-5);
  CHECK(decoding_error(PNA_LM<>(options)) < 1e-5);
  options.pna_max = PNAMax::neighbours;
  CHECK(decoding_error(PNA<>(options)) < 1e-5);
  options.use_softmax = false;
  options.threshold.mode = ThresholdMode::scaled_topk_causal_4d;
  CHECK(decoding_error(PNA<>(options)) < 1e-5);
  CHECK(decoding_error(PNA_LM<>(options)) < 1e-5);
}

TEST_CASE("PNA attention refuses a cache where a row depends on later tokens") {
  auto options = small();
  options.threshold.mode = ThresholdMode::top_k;
  const PNA<> layer(options);
  CHECK_FALSE(layer.incremental());
  float memory[64];
  const AttentionPositions<float> positions(1, 2);
  auto inputs = positions.inputs();
  inputs.cache = {memory, memory, 4, 0, layer.key_width(), layer.value_width()};
  const auto x = random_tensor<float>(Rows(1, 1, 6), 1);
  Inference inference;
  CHECK_THROWS_WITH(layer(inference, x, inputs), Catch::Matchers::ContainsSubstring("decode without a cache"));
}
