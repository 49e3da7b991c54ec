// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/adjacency/process_adjacency.hpp"

#include "ops/adjacency_problem.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("aggregate_adjacency's derivatives agree with finite differences in every mode") {
  auto q = random_tensor<double>(Shape<Dyn, Dyn, 6>(2, 3), 1);
  auto k = random_tensor<double>(Shape<Dyn, 5, 3>(2), 2);
  auto v = random_tensor<double>(Dynamic3(2, 5, 2), 3);
  auto alpha = number(1.3);
  auto t = number(0.21);
  for (const ThresholdMode mode : kSmoothModes) {
    for (const auto weights : {AdjacencyWeights::softmax, AdjacencyWeights::relu, AdjacencyWeights::raw}) {
      if (weights == AdjacencyWeights::raw && mode == ThresholdMode::none) continue;
      auto options = options_for<double>(2, 1, mode);
      options.rules.weights = weights;
      const auto result = gradcheck(pair_of(options), std::tie(q, k, v, alpha, t));
      INFO("mode " << static_cast<int>(mode) << " weights " << static_cast<int>(weights) << ": " << result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("an adjacency of steps passes no gradient to its scores") {
  auto x = random_tensor<double>(Shape<1, 4, 4>(), 1);
  auto v = random_tensor<double>(Shape<1, 4, 4>(), 2);
  auto t = number(0.21);
  for (const ThresholdMode mode : kSteps) {
    Tape tape;
    const auto q = tape.watch(x);
    const auto values = tape.watch(v);
    const auto threshold = tape.watch(t);
    const auto y = pair_of(options_for<double>(2, 2, mode))(tape, q, q, values, none, threshold);
    tape.backward(y, TensorView<const double, Dynamic3>(x.data(), y.shape()));
    INFO("mode " << static_cast<int>(mode));
    CHECK(!tape.has_gradient(q));
    CHECK(!tape.has_gradient(threshold));
    CHECK(tape.has_gradient(values));
    const auto run = [&](auto& context, auto& a) {
      return pair_of(options_for<double>(2, 2, mode))(context, x, x, a, none, none);
    };
    CHECK(gradcheck(run, std::tie(v)).passed);
  }
}

TEST_CASE("adjacency_weights are what aggregate_adjacency sums values with") {
  auto q = random_tensor<double>(Shape<2, 5, 6>(), 1);
  auto k = random_tensor<double>(Shape<2, 5, 3>(), 2);
  const auto v = random_tensor<double>(Shape<2, 5, 4>(), 3);
  for (const ThresholdMode mode : {ThresholdMode::none, ThresholdMode::silu, ThresholdMode::top_k}) {
    const auto options = options_for<double>(2, 1, mode);
    Inference inference;
    const auto source = pair_adjacency(inference, rows_operand(inference, q), rows_operand(inference, k), options);
    const auto weights = adjacency_weights(inference, source);
    const auto y = aggregate_adjacency(inference, source, rows_operand(inference, v));
    REQUIRE(y.extent(2) == 8);
    double worst = 0;
    for (Index b = 0; b < 2; ++b) {
      for (Index i = 0; i < 5; ++i) {
        for (Index c = 0; c < 8; ++c) {
          double expected = 0;
          for (Index j = 0; j < 5; ++j) expected += weights(b, c / 4, i, j) * v(b, j, c % 4);
          worst = std::max(worst, std::abs(expected - y(b, i, c)));
        }
      }
    }
    CHECK(worst < 1e-12);
  }
  const auto run = [&](auto& context, auto& a, auto& b) {
    const auto options = options_for<double>(2, 1, ThresholdMode::silu);
    return adjacency_weights(context,
                             pair_adjacency(context, rows_operand(context, a), rows_operand(context, b), options));
  };
  CHECK(gradcheck(run, std::tie(q, k)).passed);
}

TEST_CASE("one tensor may be the queries, the keys and the values of an adjacency") {
  auto x = random_tensor<double>(Dynamic3(2, 5, 6), 1);
  const auto run = [&](auto& context, auto& a) {
    return pair_of(options_for<double>(2, 2, ThresholdMode::softplus))(context, a, a, a, none, none);
  };
  CHECK(gradcheck(run, std::tie(x)).passed);
}

TEST_CASE("process_adjacency's derivatives agree with finite differences") {
  auto a = random_tensor<double>(Shape<2, Dyn, 4, Dyn>(2, 5), 1);
  auto t = number(0.1);
  for (const ThresholdMode mode : kSmoothModes) {
    const auto run = [&](auto& context, auto& x, auto& threshold) {
      return process_adjacency(context, x, ThresholdOptions{.mode = mode}, threshold);
    };
    const auto result = gradcheck(run, std::tie(a, t));
    INFO("mode " << static_cast<int>(mode) << ": " << result.message);
    CHECK(result.passed);
  }
}

TEST_CASE("processed adjacencies refuse what does not fit, and say why") {
  Inference inference;
  const Tensor<double, Dynamic3> x(Dynamic3(2, 4, 12));
  const Tensor<double, Dynamic3> brief(Dynamic3(2, 3, 12));
  const auto rows = [&](const auto& a) { return rows_operand(inference, a); };
  const auto pair = [&](const auto& q, const auto& k, Index heads, Index kv_heads, double fraction = 0.5) {
    auto options = options_for<double>(heads, kv_heads, ThresholdMode::top_k);
    options.rules.threshold.top_k_fraction = fraction;
    return pair_adjacency(inference, rows(q), rows(k), options);
  };
  CHECK_THROWS_WITH(pair(x, x, 3, 2), "pair_adjacency(q, k): kv_heads must divide heads, found 2 and 3");
  CHECK_THROWS_WITH(pair(x, x, 4, 2),
                    "pair_adjacency(q, k): the last axes of q and k must be heads * head_dim and kv_heads * head_dim, "
                    "found 12 for 4 heads and 12 for 2");
  CHECK_THROWS_WITH(pair(x, brief, 4, 4),
                    "pair_adjacency(q, k): there must be a key for each query, found 4 queries and 3 keys");
  CHECK_THROWS_WITH(pair(x, x, 4, 4, 1.5),
                    "pair_adjacency(q, k): top_k_fraction must be at most 1 in the mode top_k, found 1.5");
  CHECK_NOTHROW(pair(x, x, 4, 4, 0.0));  // one key at least
  CHECK_THROWS_WITH(aggregate_adjacency(inference, pair(x, x, 4, 4), rows(brief)),
                    "aggregate_adjacency(source, v): v must be [2, 4, 4 * value_dim], found [2, 3, 12]");
  const Tensor<double, Shape<>> lambda;
  CHECK_THROWS_WITH(differential_adjacency(inference, rows(x), rows(x), rows(brief), rows(x), lambda,
                                           options_for<double>(4, 4, ThresholdMode::none)),
                    Catch::Matchers::ContainsSubstring("both pairs must have the same shapes"));
  const Tensor<double, Shape<4>> norm;
  using Norm = AdjacencyNorm<Tensor<double, Shape<4>>, Tensor<double, Shape<4>>>;
  CHECK_THROWS_WITH(
      differential_adjacency(inference, rows(brief), rows(x), rows(brief), rows(x), lambda,
                             options_for<double>(4, 4, ThresholdMode::none), none, none, Norm{norm, norm, 1}),
      "differential_adjacency(q, k, q2, k2): the group norm needs all rows at once, found 3 of 4");
  CHECK_THROWS_WITH(
      process_adjacency(inference, brief.view(), ThresholdOptions{.mode = static_cast<ThresholdMode>(99)}, 0.1),
      "process_adjacency(a): not a value of ThresholdMode: 99");
  const Tensor<double, Shape<3, 2>> tall;
  CHECK_THROWS_WITH(process_adjacency(inference, tall, ThresholdOptions{}, 0.1),
                    "process_adjacency(a): there must be a column for each row, found [3, 2]");
}

TEST_CASE("an aggregated adjacency needs memory in proportion to the number of tokens") {
  const auto peak_bytes = [](Index tokens) {
    auto x = random_tensor<double>(Dynamic3(1, tokens, 8), 1);
    Tape tape;
    const auto q = tape.watch(x);
    const auto y = pair_of(options_for<double>(4, 4, ThresholdMode::silu))(tape, q, q, q, none, none);
    tape.backward(y, TensorView<const double, Dynamic3>(x.data(), x.shape()));
    return tape.peak_bytes();
  };
  for (const Index tokens : {200, 400}) CHECK(peak_bytes(tokens) < 6 * 8 * sizeof(double) * std::size_t(tokens));
}
