// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/adjacency/adjacency_naive.hpp"
#include "weft/ops/adjacency/aggregate_adjacency.hpp"
#include "weft/ops/adjacency/process_adjacency.hpp"
#include "weft/ops/attention/attention.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::largest_difference;
using weft::testing::random_tensor;
using weft::testing::same_bits_for_any_thread_count;
using weft::testing::to_vector;

namespace {

using Dynamic3 = Shape<Dyn, Dyn, Dyn>;

inline constexpr ThresholdMode kSmoothModes[] = {ThresholdMode::none,
                                                 ThresholdMode::silu,
                                                 ThresholdMode::relu,
                                                 ThresholdMode::softplus,
                                                 ThresholdMode::sharp_softplus,
                                                 ThresholdMode::sigmoid_elementwise,
                                                 ThresholdMode::flowthreshold,
                                                 ThresholdMode::silu_plus_binary,
                                                 ThresholdMode::silu_below_binary_above,
                                                 ThresholdMode::relu_below_binary_above,
                                                 ThresholdMode::softplus_below_binary_above};
inline constexpr ThresholdMode kSteps[] = {ThresholdMode::binary, ThresholdMode::top_k,
                                           ThresholdMode::scaled_topk_causal_4d};

template <class T>
AdjacencyOptions<T> options_for(Index heads, Index kv_heads, ThresholdMode mode) {
  AdjacencyOptions<T> options;
  options.attention.heads = heads;
  options.attention.kv_heads = kv_heads;
  options.attention.scale = 0.7;
  options.attention.sharpness = 1.25;
  options.attention.mask.causal = true;
  options.rules.threshold.mode = mode;
  options.rules.threshold.top_k_fraction = 0.4;
  options.threshold = 0.3;
  return options;
}

/// P v of one pair, all arguments in the order in which gradcheck gives them.
template <class T>
auto pair_of(const AdjacencyOptions<T>& options) {
  return [options](auto& context, const auto& q, const auto& k, const auto& v, const auto& alpha, const auto& t) {
    const auto source = pair_adjacency(context, rows_operand(context, q), rows_operand(context, k), options, alpha, t);
    return aggregate_adjacency(context, source, rows_operand(context, v));
  };
}

Tensor<double, Shape<>> number(double value) {
  Tensor<double, Shape<>> tensor;
  *tensor.data() = value;
  return tensor;
}

}  // namespace

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
  CHECK_THROWS_WITH(pair(x, x, 4, 4, 1.5), "pair_adjacency(q, k): top_k_fraction must be in (0, 1], found 1.500000");
  CHECK_THROWS_WITH(pair(x, x, 4, 4, 0.0), "pair_adjacency(q, k): top_k_fraction must be in (0, 1], found 0.000000");
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
