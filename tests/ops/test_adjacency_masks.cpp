// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/attention/attention.hpp"

#include "ops/adjacency_problem.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("aggregate_adjacency's derivatives agree with finite differences under masks and switches") {
  auto q = random_tensor<double>(Shape<2, 4, 4>(), 1);
  auto k = random_tensor<double>(Shape<2, 4, 4>(), 2);
  auto v = random_tensor<double>(Shape<2, 4, 6>(), 3);
  auto alpha = number(1.3);
  auto t = number(0.21);
  const std::int32_t key_valid[] = {1, 0, 1, 1,
                                    1, 1, 1, 0};  // gradients pass through an absorbing mask: every row sees a key
  auto additive = random_tensor<double>(Shape<2, 1, 4, 4>(), 4);
  additive(0, 0, 1, 2) = additive(1, 0, 3, 0) = std::numeric_limits<double>::lowest();
  for (const ThresholdMode mode : {ThresholdMode::none, ThresholdMode::silu}) {
    for (const int switches : {0, 1, 2, 3}) {
      auto options = options_for<double>(2, 2, mode);
      options.rules.mask_after_scaling = (switches & 1) != 0;
      options.rules.threshold.respects_mask = (switches & 2) != 0;
      options.attention.mask.key_valid = key_valid;
      const auto padded = gradcheck(pair_of(options), std::tie(q, k, v, alpha, t));
      INFO("mode " << static_cast<int>(mode) << " switches " << switches << ": " << padded.message);
      CHECK(padded.passed);
      options.attention.mask = {false, nullptr, additive.data(), 16, 4};
      const auto masked = gradcheck(pair_of(options), std::tie(q, k, v, alpha, t));
      INFO(masked.message);
      CHECK(masked.passed);
    }
  }
}

TEST_CASE("sequences packed into one row have the adjacencies that they have alone") {
  const Index lengths[] = {3, 1, 4};
  const std::int32_t first_key[] = {0, 0, 0, 3, 4, 4, 4, 4};
  const auto x = random_tensor<double>(Dynamic3(1, 8, 4), 1);
  const auto y = random_tensor<double>(Dynamic3(1, 8, 4), 2);
  const auto weight = random_tensor<double>(Shape<2, 4>(), 3);
  const auto bias = random_tensor<double>(Shape<2>(), 4);
  const auto lambda = number(0.3);
  const auto sources = [&](Inference& context, const auto& a, const auto& b, const AdjacencyOptions<double>& options) {
    const auto left = rows_operand(context, a);
    const auto right = rows_operand(context, b);
    return std::vector{
        adjacency_weights(context, pair_adjacency(context, left, right, options)),
        adjacency_weights(context, differential_adjacency(context, left, right, right, left, lambda, options)),
        adjacency_weights(context, scoring_adjacency(context, left, right, weight, bias, options))};
  };
  for (const ThresholdMode mode :
       {ThresholdMode::none, ThresholdMode::silu, ThresholdMode::binary, ThresholdMode::scaled_topk_causal_4d}) {
    for (const auto weights : {AdjacencyWeights::softmax, AdjacencyWeights::raw}) {
      if (weights == AdjacencyWeights::raw && mode == ThresholdMode::none) continue;
      auto options = options_for<double>(2, 2, mode);
      options.rules.weights = weights;
      Inference inference;
      options.attention.mask.first_key = first_key;
      const auto packed = sources(inference, x, y, options);
      options.attention.mask.first_key = nullptr;
      Index start = 0;
      for (const Index length : lengths) {
        const auto part = [&](const auto& all) {
          Tensor<double, Dynamic3> some(Dynamic3(1, length, 4));
          std::copy_n(all.data() + start * 4, length * 4, some.data());
          return some;
        };
        const auto a = part(x);
        const auto b = part(y);
        const auto alone = sources(inference, a, b, options);
        double worst = 0;
        for (std::size_t source = 0; source < 3; ++source) {
          for (Index n = 0; n < 2; ++n) {
            for (Index i = 0; i < length; ++i) {
              for (Index j = 0; j < 8; ++j) {
                const bool inside = j >= start && j < start + length;
                const double expected = inside ? alone[source](0, n, i, j - start) : 0;
                worst = std::max(worst, std::abs(expected - packed[source](0, n, start + i, j)));
              }
            }
          }
        }
        INFO("mode " << static_cast<int>(mode) << " length " << length);
        CHECK(worst < 1e-13);
        start += length;
      }
    }
  }
  auto options = options_for<double>(2, 2, ThresholdMode::silu);
  options.attention.mask.first_key = first_key;
  auto q = random_tensor<double>(Dynamic3(1, 8, 4), 5);
  auto k = random_tensor<double>(Dynamic3(1, 8, 4), 6);
  auto t = number(0.2);
  for (const auto weights : {AdjacencyWeights::softmax, AdjacencyWeights::raw}) {
    options.rules.weights = weights;
    const auto run = [&](auto& context, auto& a, auto& b, auto& c) {
      return pair_of(options)(context, a, b, a, none, c);
    };
    CHECK(gradcheck(run, std::tie(q, k, t)).passed);
  }
  options.rules.threshold.mode = ThresholdMode::top_k;
  Inference inference;
  CHECK_THROWS_WITH(pair_adjacency(inference, rows_operand(inference, q), rows_operand(inference, k), options),
                    Catch::Matchers::ContainsSubstring("cannot tell packed sequences apart"));
}

TEST_CASE("dropped weights of an adjacency are those that attention drops, and gradients know them") {
  auto q = random_tensor<double>(Dynamic3(2, 70, 4), 1);
  auto k = random_tensor<double>(Dynamic3(2, 70, 4), 2);
  auto v = random_tensor<double>(Dynamic3(2, 70, 6), 3);
  auto options = options_for<double>(2, 2, ThresholdMode::none);
  options.attention.dropout = DropoutMask(Rng(8), 0.3);
  Inference inference;
  const auto expected = scaled_dot_product_attention(inference, q, k, v, options.attention);
  const auto found = pair_of(options)(inference, q, k, v, none, none);
  CHECK(largest_difference(to_vector(found), to_vector(expected)) < 1e-13);

  auto x = random_tensor<double>(Dynamic3(1, 5, 4), 4);
  auto y = random_tensor<double>(Dynamic3(1, 5, 4), 5);
  auto weight = random_tensor<double>(Shape<2, 4>(), 6);
  auto bias = random_tensor<double>(Shape<2>(), 7);
  auto lambda = number(0.3);
  options.rules.threshold.mode = ThresholdMode::silu;
  const auto check = [&](auto&& make) {
    const auto run = [&](auto& context, auto& a, auto& b, auto& w, auto& l) {
      return aggregate_adjacency(context, make(context, rows_operand(context, a), rows_operand(context, b), w, l),
                                 rows_operand(context, a));
    };
    const auto result = gradcheck(run, std::tie(x, y, bias, lambda));
    INFO(result.message);
    CHECK(result.passed);
  };
  check([&](auto& context, const auto& a, const auto& b, auto&, auto&) {
    return pair_adjacency(context, a, b, options);
  });
  check([&](auto& context, const auto& a, const auto& b, auto& w, auto& l) {
    using Scale = std::remove_cvref_t<decltype(w)>;
    return differential_adjacency(context, a, b, b, a, l, options, none, none, AdjacencyNorm<Scale, Scale>{w, w, 0.7});
  });
  check([&](auto& context, const auto& a, const auto& b, auto& w, auto&) {
    return scoring_adjacency(context, a, b, weight, w, options);
  });
}
