// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/mlp/llama_mlp_halfway_gin.hpp"
#include "weft/mlp/llama_mlp_multi_aggregation.hpp"
#include "weft/mlp/llama_mlp_multi_hop.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Rows = Shape<Dyn, Dyn, Dyn>;
using Square = Shape<Dyn, Dyn, Dyn, Dyn>;

/// Positive entries up to the diagonal, rows adding up to 1.
template <class T>
Tensor<T, Square> causal_adjacency(Index batch, Index heads, Index tokens, std::uint64_t seed) {
  auto a = random_tensor<T>(Square(batch, heads, tokens, tokens), seed);
  for (Index row = 0; row < batch * heads * tokens; ++row) {
    T* entries = a.data() + row * tokens;
    T sum{0};
    for (Index j = 0; j < tokens; ++j) sum += entries[j] = j <= row % tokens ? std::abs(entries[j]) + T(0.1) : T{0};
    for (Index j = 0; j < tokens; ++j) entries[j] /= sum;
  }
  return a;
}

template <class Options>
Options small(bool bias) {
  Options options;
  options.bias = bias;
  options.hidden_size = 4;
  options.intermediate_size = 6;
  options.heads = 2;
  return options;
}

/// Gradcheck with and without a residual, and into a positive adjacency without zeros.
template <class Layer>
bool derivatives_agree(Layer& layer) {
  randomize_parameters(layer, 3, 0.5);
  auto x = random_tensor<double>(Rows(2, 3, 4), 1);
  auto residual = random_tensor<double>(Rows(2, 3, 4), 2);
  auto a = random_tensor<double>(Square(2, 2, 3, 3), 4);
  for (double& entry : a.span()) entry = std::abs(entry) + 0.1;
  const auto result = gradcheck([&](auto& context, auto& in, auto& weights) { return layer(context, in, weights); },
                                std::tie(x, a), layer);
  const auto added =
      gradcheck([&](auto& context, auto& in, auto& weights, auto& r) { return layer(context, in, weights, r); },
                std::tie(x, a, residual), layer);
  INFO(result.message);
  CHECK(result.passed);
  return result.passed && added.passed;
}

/// Whether changing the last token changes no other row.
template <class Layer>
bool causal(Layer& layer) {
  randomize_parameters(layer, 3, 0.5);
  const auto a = causal_adjacency<float>(1, 2, 5, 1);
  auto x = random_tensor<float>(Rows(1, 5, 4), 2);
  Inference inference;
  const auto before = to_vector(layer(inference, x, a));
  for (Index c = 0; c < 4; ++c) x(0, 4, c) += 300;
  const auto after = to_vector(layer(inference, x, a));
  return std::equal(before.begin(), before.end() - 4, after.begin());
}

/// The largest difference between decoding in pieces and all tokens at once.
template <class Layer, class Cache>
double decoding_error(Layer& layer, Cache cache) {
  randomize_parameters(layer, 3, 0.5);
  const Index tokens = 8;
  const auto a = causal_adjacency<float>(2, 2, tokens, 1);
  const auto x = random_tensor<float>(Rows(2, tokens, 4), 2);
  Inference inference;
  const auto expected = layer(inference, x, a);
  double worst = 0;
  for (const Index count : {Index{3}, Index{1}, Index{1}, Index{3}}) {
    const Index past = cache.length();
    Tensor<float, Square> rows(Square(2, 2, count, past + count));
    Tensor<float, Rows> own(Rows(2, count, 4));
    for (Index b = 0; b < 2; ++b) {
      for (Index i = 0; i < count; ++i) {
        for (Index head = 0; head < 2; ++head) {
          for (Index j = 0; j < past + count; ++j) rows(b, head, i, j) = a(b, head, past + i, j);
        }
        for (Index c = 0; c < 4; ++c) own(b, i, c) = x(b, past + i, c);
      }
    }
    const auto y = layer.decode(inference, own, rows, cache);
    for (Index b = 0; b < 2; ++b) {
      for (Index i = 0; i < count; ++i) {
        for (Index c = 0; c < 4; ++c) {
          worst = std::max(worst, std::abs(static_cast<double>(y(b, i, c) - expected(b, past + i, c))));
        }
      }
    }
  }
  CHECK(cache.length() == tokens);
  return worst;
}

using HalfwayGIN = LlamaMLP_HalfwayGIN<Dyn, Dyn, Dyn>;
using MultiHop = LlamaMLP_MultiHop<Dyn, Dyn, Dyn>;
using MultiAggregation = LlamaMLP_HalfwayGIN_MultiAggregation<Dyn, Dyn, Dyn>;

}  // namespace

TEST_CASE("the derivatives of feed-forward blocks with an adjacency agree with finite differences") {
  for (const bool bias : {false, true}) {
    LlamaMLP_HalfwayGIN<Dyn, Dyn, Dyn, double> halfway(small<AdjacencyMLPOptions>(bias));
    CHECK(derivatives_agree(halfway));
    LlamaMLP_MultiHop<Dyn, Dyn, Dyn, double> hops(small<AdjacencyMLPOptions>(bias));
    CHECK(derivatives_agree(hops));
    LlamaMLP_HalfwayGIN_MultiAggregation<Dyn, Dyn, Dyn, double> several(small<MultiAggregationOptions>(bias));
    CHECK(derivatives_agree(several));
  }
}

TEST_CASE("feed-forward blocks with an adjacency work with extents in their types") {
  LlamaMLP_HalfwayGIN<4, 6, 2, double> halfway;
  CHECK(derivatives_agree(halfway));
  LlamaMLP_MultiHop<4, 6, 2, double> hops;
  CHECK(derivatives_agree(hops));
  MultiAggregationOptions options;
  options.multiagg_future_mask = FutureMask::hard;
  options.multiagg_max = MultiAggregationMax::neighbours;
  LlamaMLP_HalfwayGIN_MultiAggregation<4, 6, 2, double> several(options);
  CHECK(derivatives_agree(several));
  Inference inference;
  const auto x = random_tensor<double>(Shape<1, 3, 4>(), 1);
  const auto a = causal_adjacency<double>(1, 2, 3, 2);
  static_assert(std::is_same_v<ShapeOf<decltype(halfway(inference, x, a))>, Shape<1, 3, 4>>);
  static_assert(std::is_same_v<ShapeOf<decltype(hops(inference, x, a))>, Shape<1, 3, 4>>);
  static_assert(std::is_same_v<ShapeOf<decltype(several(inference, x, a))>, Shape<1, 3, 4>>);
}

TEST_CASE("a later token changes no earlier row, except with the soft mask of the reference") {
  HalfwayGIN halfway(small<AdjacencyMLPOptions>(true));
  CHECK(causal(halfway));
  MultiHop hops(small<AdjacencyMLPOptions>(true));
  CHECK(causal(hops));
  auto options = small<MultiAggregationOptions>(true);
  MultiAggregation soft(options);
  CHECK_FALSE(causal(soft));
  CHECK_FALSE(soft.incremental());
  options.multiagg_future_mask = FutureMask::hard;
  options.multiagg_max = MultiAggregationMax::neighbours;
  MultiAggregation hard(options);
  CHECK(causal(hard));
  CHECK(hard.incremental());
}

TEST_CASE("decoding with a cache gives what all tokens at once give") {
  HalfwayGIN halfway(small<AdjacencyMLPOptions>(true));
  CHECK(halfway.incremental());
  CHECK(decoding_error(halfway, halfway.make_cache(2, 8)) < 1e-5);
  for (const bool bias : {false, true}) {
    MultiHop hops(small<AdjacencyMLPOptions>(bias));
    CHECK(decoding_error(hops, hops.make_cache(2, 8)) < 1e-5);
    auto options = small<MultiAggregationOptions>(bias);
    options.multiagg_future_mask = FutureMask::hard;
    options.multiagg_max = bias ? MultiAggregationMax::neighbours : MultiAggregationMax::self;
    MultiAggregation several(options);
    CHECK(decoding_error(several, several.make_cache(2, 9)) < 1e-5);
  }
}

TEST_CASE("decoding refuses tokens that do not fit the cache, and the soft mask of the reference") {
  const auto x = random_tensor<float>(Rows(1, 3, 4), 1);
  const auto a = causal_adjacency<float>(1, 2, 3, 2);
  Inference inference;
  MultiHop hops(small<AdjacencyMLPOptions>(false));
  auto cache = hops.make_cache(1, 2);
  CHECK_THROWS_WITH(
      hops.decode(inference, x, a, cache),
      "LlamaMLP_MultiHop: the cache is made for 1 texts of 2 tokens, 0 of them taken; found 3 new ones of "
      "1 texts");
  CHECK(cache.length() == 0);
  MultiAggregation soft(small<MultiAggregationOptions>(false));
  auto other = soft.make_cache(1, 3);
  CHECK_THROWS_WITH(soft.decode(inference, x, a, other), Catch::Matchers::ContainsSubstring("choose FutureMask::hard"));
}

TEST_CASE("multi-hop without edges is a gated block of every head") {
  MultiHop layer(small<AdjacencyMLPOptions>(false));
  randomize_parameters(layer, 3, 0.5);
  for (auto& epsilon : layer.epsilons) epsilon.data()[0] = 0;
  const auto x = random_tensor<float>(Rows(1, 1, 4), 1);
  Tensor<float, Square> a(Square(1, 2, 1, 1));
  a.data()[0] = a.data()[1] = 0;
  Inference inference;
  const auto y = layer(inference, x, a);
  for (Index c = 0; c < 4; ++c) {
    const auto head = static_cast<std::size_t>(c / 2);
    double expected = 0;
    for (Index i = 0; i < 6; ++i) {
      double gate = 0, up = 0;
      for (Index p = 0; p < 2; ++p) {
        const double value = x(0, 0, c / 2 * 2 + p);
        gate += value * layer.head_gate_projs[head].weight.value()(i, p);
        up += value * layer.head_up_projs[head].weight.value()(i, p);
      }
      expected += gate / (1 + std::exp(-gate)) * up * layer.head_down_projs[head].weight.value()(c % 2, i);
    }
    CHECK(y(0, 0, c) == Approx(expected).margin(1e-5));
  }
}

TEST_CASE("multi-aggregation refuses negative weights or clamps them") {
  auto options = small<MultiAggregationOptions>(false);
  MultiAggregation refusing(options);
  const auto x = random_tensor<float>(Rows(1, 3, 4), 1);
  auto a = causal_adjacency<float>(1, 2, 3, 2);
  a(0, 1, 2, 1) = -0.5F;
  Inference inference;
  CHECK_THROWS_WITH(refusing(inference, x, a), Catch::Matchers::ContainsSubstring("must not be negative"));
  for (const FutureMask mask : {FutureMask::soft_log, FutureMask::hard}) {
    options.negative_weights = NegativeWeights::clamp;
    options.multiagg_future_mask = mask;
    MultiAggregation clamping(options);
    randomize_parameters(clamping, 3, 0.5);
    for (const float value : to_vector(clamping(inference, x, a))) CHECK(std::isfinite(value));
    // But for the sum, which takes them as they are, they are zeros.
    for (auto& alpha : clamping.alphas) alpha.data()[0] = 0;
    auto zeroed = a.clone();
    zeroed(0, 1, 2, 1) = 0;
    CHECK(to_vector(clamping(inference, x, a)) == to_vector(clamping(inference, x, zeroed)));
  }
}

TEST_CASE("a node without edges stays finite under a hard mask, forwards and backwards") {
  auto options = small<MultiAggregationOptions>(false);
  options.multiagg_future_mask = FutureMask::hard;
  options.multiagg_max = MultiAggregationMax::neighbours;
  MultiAggregation layer(options);
  randomize_parameters(layer, 3, 0.5);
  auto x = random_tensor<float>(Rows(1, 3, 4), 1);
  Tensor<float, Square> a(Square(1, 2, 3, 3));
  std::fill_n(a.data(), a.size(), 0.0F);
  Tape tape;
  const auto xs = tape.watch(x);
  const auto as = tape.watch(a);
  const auto y = layer(tape, xs, as);
  tape.backward(y, TensorView<const float, Rows>(x.data(), x.shape()));
  for (const auto& values : {to_vector(y), to_vector(tape.gradient(xs)), to_vector(tape.gradient(as))}) {
    for (const float value : values) CHECK(std::isfinite(value));
  }
}

TEST_CASE("widths that the heads do not divide are refused, and adjacencies with other heads") {
  auto options = small<AdjacencyMLPOptions>(false);
  options.heads = 4;
  CHECK_THROWS_WITH(HalfwayGIN(options),
                    "LlamaMLP_HalfwayGIN: intermediate_size must be a multiple of heads, found 6 and 4");
  auto several = small<MultiAggregationOptions>(false);
  several.heads = 4;
  CHECK_THROWS_WITH(MultiAggregation(several),
                    "LlamaMLP_HalfwayGIN_MultiAggregation: intermediate_size must be a "
                    "multiple of heads, found 6 and 4");
  options.heads = 3;
  CHECK_THROWS_WITH(MultiHop(options), "LlamaMLP_MultiHop: hidden_size must be a multiple of heads, found 4 and 3");
  const HalfwayGIN layer(small<AdjacencyMLPOptions>(false));
  const auto x = random_tensor<float>(Rows(1, 3, 4), 1);
  const auto a = causal_adjacency<float>(1, 3, 3, 2);
  Inference inference;
  CHECK_THROWS_WITH(layer(inference, x, a),
                    "LlamaMLP_HalfwayGIN: the weights must be [batch, 2 heads, tokens, keys], "
                    "found [1, 3, 3, 3]");
}
