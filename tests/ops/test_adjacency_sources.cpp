// SPDX-License-Identifier: Apache-2.0
#include "ops/adjacency_problem.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("differential adjacencies' derivatives agree with finite differences") {
  auto q = random_tensor<double>(Dynamic3(2, 4, 6), 1);
  auto k = random_tensor<double>(Dynamic3(2, 4, 3), 2);
  auto q2 = random_tensor<double>(Dynamic3(2, 4, 6), 3);
  auto k2 = random_tensor<double>(Dynamic3(2, 4, 3), 4);
  auto v = random_tensor<double>(Dynamic3(2, 4, 2), 5);
  auto lambda = number(0.4);
  auto alpha = number(1.2);
  auto t = number(0.1);
  const auto run = [&](const AdjacencyOptions<double>& options) {
    return [options, &alpha](auto& context, auto& a, auto& b, auto& c, auto& d, auto& e, auto& l, auto& threshold) {
      const auto rows = [&](const auto& x) { return rows_operand(context, x); };
      const auto source =
          differential_adjacency(context, rows(a), rows(b), rows(c), rows(d), l, options, alpha, threshold);
      return aggregate_adjacency(context, source, rows(e));
    };
  };
  for (const ThresholdMode mode : {ThresholdMode::none, ThresholdMode::relu, ThresholdMode::silu_plus_binary}) {
    for (const auto weights : {AdjacencyWeights::softmax, AdjacencyWeights::raw}) {
      if (weights == AdjacencyWeights::raw && mode == ThresholdMode::none) continue;
      auto options = options_for<double>(2, 1, mode);
      options.rules.weights = weights;
      const auto result = gradcheck(run(options), std::tie(q, k, q2, k2, v, lambda, t));
      INFO("mode " << static_cast<int>(mode) << ": " << result.message);
      CHECK(result.passed);
    }
  }
}

TEST_CASE("the group norm of a differential adjacency agrees with its definition and finite differences") {
  auto q = random_tensor<double>(Dynamic3(2, 5, 4), 1);
  auto k = random_tensor<double>(Dynamic3(2, 5, 4), 2);
  auto q2 = random_tensor<double>(Dynamic3(2, 5, 4), 3);
  auto k2 = random_tensor<double>(Dynamic3(2, 5, 4), 4);
  auto lambda = number(0.4);
  auto alpha = number(1.2);
  auto weight = random_tensor<double>(Shape<2>(), 6);
  auto bias = random_tensor<double>(Shape<Dyn>(2), 7);
  const std::int32_t key_valid[] = {1, 0, 1, 1, 1, 1, 1, 1, 1, 0};
  for (const int variant : {0, 1, 2, 3}) {
    auto options = options_for<double>(2, 2, variant % 2 == 0 ? ThresholdMode::none : ThresholdMode::softplus);
    if (variant >= 2) options.attention.mask.key_valid = key_valid;
    const auto run = [&](auto& context, auto& a, auto& b, auto& c, auto& d, auto& l, auto& s, auto& w, auto& shift) {
      const auto rows = [&](const auto& x) { return rows_operand(context, x); };
      using Norm = AdjacencyNorm<std::remove_cvref_t<decltype(w)>, std::remove_cvref_t<decltype(shift)>>;
      return adjacency_weights(context, differential_adjacency(context, rows(a), rows(b), rows(c), rows(d), l, options,
                                                               s, none, Norm{w, shift, 0.6}));
    };
    const auto result = gradcheck(run, std::tie(q, k, q2, k2, lambda, alpha, weight, bias));
    INFO("variant " << variant << ": " << result.message);
    CHECK(result.passed);

    Inference inference;
    auto plain = options;
    plain.rules.threshold.mode = ThresholdMode::none;
    plain.attention.sharpness *= 1.2;
    const auto weights_of = [&](const auto& a, const auto& b) {
      return adjacency_weights(
          inference, pair_adjacency(inference, rows_operand(inference, a), rows_operand(inference, b), plain));
    };
    const auto first = weights_of(q, k);
    const auto second = weights_of(q2, k2);
    const auto found = run(inference, q, k, q2, k2, lambda, alpha, weight, bias);
    double worst = 0;
    for (Index matrix = 0; matrix < 4; ++matrix) {
      std::vector<double> a;
      for (Index i = matrix * 25; i < (matrix + 1) * 25; ++i) a.push_back(first.data()[i] - 0.4 * second.data()[i]);
      const double mean = std::accumulate(a.begin(), a.end(), 0.0) / 25;
      double variance = 0;
      for (const double value : a) variance += (value - mean) * (value - mean) / 25;
      for (Index i = 0; i < 5; ++i) {
        for (Index j = 0; j < 5; ++j) {
          const double x = (a[static_cast<std::size_t>(5 * i + j)] - mean) / std::sqrt(variance + 1e-5);
          double expected = j > i ? 0 : 0.6 * (weight(matrix % 2) * x + bias(matrix % 2));
          if (j <= i && options.rules.threshold.mode == ThresholdMode::softplus) {
            expected = std::log1p(std::exp(expected - 0.3));
          }
          worst = std::max(worst, std::abs(expected - found.data()[matrix * 25 + 5 * i + j]));
        }
      }
    }
    CHECK(worst < 1e-12);
  }
}

TEST_CASE("adjacencies of a scoring network agree with its definition and finite differences") {
  auto u = random_tensor<double>(Dynamic3(2, 4, 5), 1);
  auto v = random_tensor<double>(Dynamic3(2, 6, 5), 2);
  auto weight = random_tensor<double>(Shape<Dyn, 5>(4), 3);
  auto bias = random_tensor<double>(Shape<4>(), 4);
  auto values = random_tensor<double>(Dynamic3(2, 6, 6), 5);
  auto t = number(0.2);
  for (const ThresholdMode mode : {ThresholdMode::none, ThresholdMode::silu, ThresholdMode::top_k}) {
    auto options = options_for<double>(4, 2, mode);
    const auto run = [&](auto& context, auto& a, auto& b, auto& w, auto& shift, auto& x, auto& threshold) {
      const auto source =
          scoring_adjacency(context, rows_operand(context, a), rows_operand(context, b), w, shift, options, threshold);
      return aggregate_adjacency(context, source, rows_operand(context, x));
    };
    const auto result = gradcheck(run, std::tie(u, v, weight, bias, values, t));
    INFO("mode " << static_cast<int>(mode) << ": " << result.message);
    CHECK(result.passed);
  }
  Inference inference;
  const auto weights =
      adjacency_weights(inference, scoring_adjacency(inference, rows_operand(inference, u), rows_operand(inference, v),
                                                     weight, bias, options_for<double>(4, 2, ThresholdMode::none)));
  double worst = 0;
  for (Index b = 0; b < 2; ++b) {
    for (Index n = 0; n < 4; ++n) {
      for (Index i = 0; i < 4; ++i) {
        std::vector<double> row;
        double sum = 0;
        for (Index j = 0; j < 6; ++j) {
          double score = bias(n);
          for (Index s = 0; s < 5; ++s) {
            const double x = u(b, i, s) + v(b, j, s);
            score += weight(n, s) * x / (1 + std::exp(-x));
          }
          row.push_back(j <= i + 2 ? std::exp(score) : 0);
          sum += row.back();
        }
        for (Index j = 0; j < 6; ++j) {
          worst = std::max(worst, std::abs(row[static_cast<std::size_t>(j)] / sum - weights(b, n, i, j)));
        }
      }
    }
  }
  CHECK(worst < 1e-12);
}

TEST_CASE("processed adjacencies have the same bits for any number of threads") {
  const Index tokens = 150;
  auto q = random_tensor<float>(Dynamic3(2, tokens, 12), 1);
  auto k = random_tensor<float>(Dynamic3(2, tokens, 6), 2);
  auto v = random_tensor<float>(Dynamic3(2, tokens, 10), 3);
  auto weight = random_tensor<float>(Shape<2>(), 4);
  auto lambda = random_tensor<float>(Shape<>(), 5);
  const auto gradients = [&](auto&& make_source) {
    Tape tape;
    const auto a = tape.watch(q);
    const auto b = tape.watch(k);
    const auto x = tape.watch(v);
    const auto y = aggregate_adjacency(tape, make_source(tape, a, b), rows_operand(tape, x));
    tape.backward(y, TensorView<const float, Dynamic3>(y.data(), y.shape()));
    auto all = to_vector(y);
    for (const auto& part : {to_vector(tape.gradient(a)), to_vector(tape.gradient(b)), to_vector(tape.gradient(x))}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  };
  const auto options = options_for<float>(2, 1, ThresholdMode::silu);
  CHECK(same_bits_for_any_thread_count([&] {
    return gradients([&](auto& tape, auto& a, auto& b) {
      return pair_adjacency(tape, rows_operand(tape, a), rows_operand(tape, b), options);
    });
  }));
  CHECK(same_bits_for_any_thread_count([&] {
    return gradients([&](auto& tape, auto& a, auto& b) {
      const auto left = rows_operand(tape, a);
      const auto right = rows_operand(tape, b);
      using Norm = AdjacencyNorm<Tensor<float, Shape<2>>, Tensor<float, Shape<2>>>;
      return differential_adjacency(tape, left, right, left, right, lambda, options, none, none,
                                    Norm{weight, weight, 0.5});
    });
  }));
  auto scoring = random_tensor<float>(Shape<2, 6>(), 6);
  auto half = random_tensor<float>(Dynamic3(2, tokens, 6), 7);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    const auto b = tape.watch(k);
    const auto u = tape.watch(half);
    const auto source = scoring_adjacency(tape, rows_operand(tape, u), rows_operand(tape, b), scoring, weight, options);
    const auto y = aggregate_adjacency(tape, source, rows_operand(tape, v));
    tape.backward(y, TensorView<const float, Dynamic3>(y.data(), y.shape()));
    auto all = to_vector(y);
    for (const auto& part : {to_vector(tape.gradient(b)), to_vector(tape.gradient(u))}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }));
}
