// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/adjacency/aggregate_adjacency.hpp"
#include "weft/ops/pna/pna_attention.hpp"
#include "weft/ops/pna/pna_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Rows = Shape<Dyn, Dyn, Dyn>;

struct Problem {
  Index batch = 2, heads = 4, kv_heads = 2, tokens = 7, dim = 3;
  AdjacencyWeights weights = AdjacencyWeights::softmax;
  ThresholdMode mode = ThresholdMode::none;
  double threshold = 0.2;
  PNAAttentionRules rules{};

  template <class T>
  AdjacencyOptions<T> options() const {
    AdjacencyOptions<T> result;
    result.attention = {heads, kv_heads, 0.6, 1.2, {true, nullptr, nullptr, 0, 0}};
    result.rules.weights = weights;
    result.rules.threshold.mode = mode;
    result.rules.threshold.top_k_fraction = 0.5;
    result.threshold = threshold;
    return result;
  }
  Rows query_shape() const { return Rows(batch, tokens, heads * dim); }
  Rows key_shape() const { return Rows(batch, tokens, kv_heads * dim); }

  template <class Context, class Q, class K, class V>
  auto operator()(Context& context, const Q& q, const K& k, const V& v) const {
    using T = ElementOf<Q>;
    const auto source = pair_adjacency(context, rows_operand(context, q), rows_operand(context, k), options<T>());
    return pna_attention(context, source, rows_operand(context, v), rules);
  }
};

/// The largest difference from the naive form on the dense adjacency.
double error_of(const Problem& problem) {
  const auto q = random_tensor<float>(problem.query_shape(), 1);
  const auto k = random_tensor<float>(problem.key_shape(), 2);
  const auto v = random_tensor<float>(problem.key_shape(), 3);
  Inference inference;
  const auto y = problem(inference, q, k, v);
  const auto source =
      pair_adjacency(inference, rows_operand(inference, q), rows_operand(inference, k), problem.options<float>());
  const auto p = adjacency_weights(inference, source);
  double worst = 0;
  std::vector<float> x(static_cast<std::size_t>(problem.tokens * problem.dim));
  for (Index at = 0; at < problem.batch * problem.heads * problem.tokens; ++at) {
    const Index i = at % problem.tokens, head = at / problem.tokens % problem.heads;
    const Index b = at / problem.tokens / problem.heads;
    for (Index j = 0; j < problem.tokens; ++j) {
      for (Index c = 0; c < problem.dim; ++c) {
        x[static_cast<std::size_t>(j * problem.dim + c)] =
            v(b, j, head / (problem.heads / problem.kv_heads) * problem.dim + c);
      }
    }
    const auto expected = kernels::pna_naive(problem.rules, problem.threshold, problem.tokens, problem.dim, i,
                                             p.data() + at * problem.tokens, x.data());
    const float* found = y.data() + ((b * problem.tokens + i) * problem.heads + head) * 4 * problem.dim;
    for (std::size_t c = 0; c < expected.size(); ++c) {
      const auto value = static_cast<double>(found[c]);
      if (value == expected[c]) continue;  // infinities
      worst = std::max(worst, std::abs(value - expected[c]));
      if (std::isnan(value)) return value;
    }
  }
  return worst;
}

bool derivatives_agree(const Problem& problem) {
  auto q = random_tensor<double>(problem.query_shape(), 1);
  auto k = random_tensor<double>(problem.key_shape(), 2);
  auto v = random_tensor<double>(problem.key_shape(), 3);
  const auto result =
      gradcheck([&](auto& context, auto& a, auto& b, auto& c) { return problem(context, a, b, c); }, std::tie(q, k, v));
  // The same with the extents in the types.
  auto typed_q = random_tensor<double>(Shape<2, 5, 12>(), 1);
  auto typed_k = random_tensor<double>(Shape<2, 5, 6>(), 2);
  auto typed_v = random_tensor<double>(Shape<2, Dyn, 6>(5), 3);
  const auto typed = gradcheck([&](auto& context, auto& a, auto& b, auto& c) { return problem(context, a, b, c); },
                               std::tie(typed_q, typed_k, typed_v));
  INFO(result.message << typed.message);
  CHECK(result.passed);
  CHECK(typed.passed);
  return result.passed && typed.passed;
}

PNAAttentionRules selecting(PNAFallback fallback = PNAFallback::first_token) {
  PNAAttentionRules rules;
  rules.aggregates = PNAAggregates::mean_max_variance_min;
  rules.fallback = fallback;
  return rules;
}

PNAAttentionRules neighbours() {
  PNAAttentionRules rules;
  rules.max = PNAMax::neighbours;
  return rules;
}

}  // namespace

TEST_CASE("pna_attention agrees with the naive form for every rule") {
  PNAAttentionRules infinite;
  infinite.empty_max = PNAEmptyMax::minus_inf;
  PNAAttentionRules acausal = selecting();
  acausal.negative_threshold = true;
  for (const PNAAttentionRules& rules :
       {PNAAttentionRules{}, infinite, neighbours(), selecting(), selecting(PNAFallback::self), acausal}) {
    for (const AdjacencyWeights weights : {AdjacencyWeights::softmax, AdjacencyWeights::relu}) {
      for (const ThresholdMode mode : {ThresholdMode::none, ThresholdMode::relu, ThresholdMode::binary,
                                       ThresholdMode::scaled_topk_causal_4d, ThresholdMode::sigmoid_elementwise}) {
        Problem problem;
        problem.weights = weights;
        problem.mode = mode;
        problem.rules = rules;
        if (rules.negative_threshold) problem.threshold = -0.1;
        CHECK(error_of(problem) < 1e-5);
      }
    }
  }
}

TEST_CASE("pna_attention agrees with the naive form for awkward sizes") {
  for (const PNAAttentionRules& rules : {PNAAttentionRules{}, neighbours(), selecting()}) {
    Problem one{.batch = 1, .heads = 1, .kv_heads = 1, .tokens = 1, .dim = 1, .rules = rules};
    CHECK(error_of(one) < 1e-6);
    Problem blocks{.batch = 1, .heads = 3, .kv_heads = 1, .tokens = 131, .dim = 17, .rules = rules};
    CHECK(error_of(blocks) < 1e-5);
  }
}

TEST_CASE("pna_attention's derivatives agree with finite differences") {
  CHECK(derivatives_agree({.tokens = 5}));
  CHECK(derivatives_agree({.tokens = 5, .rules = neighbours()}));
  CHECK(derivatives_agree({.tokens = 5, .rules = selecting()}));
  CHECK(derivatives_agree({.tokens = 5, .mode = ThresholdMode::sigmoid_elementwise, .rules = neighbours()}));
  CHECK(derivatives_agree({.tokens = 5, .weights = AdjacencyWeights::relu, .rules = neighbours()}));
  CHECK(derivatives_agree({.tokens = 5, .weights = AdjacencyWeights::relu, .rules = selecting(PNAFallback::self)}));
}

TEST_CASE("the variance of a single neighbour is exactly 0, and passes no derivative") {
  for (const bool selects : {false, true}) {
    Problem problem{.batch = 3, .tokens = 1, .dim = 67};
    problem.rules.aggregates = selects ? PNAAggregates::mean_max_variance_min : PNAAggregates::sum_mean_max_variance;
    Inference inference;
    const auto y = problem(inference, random_tensor<float>(problem.query_shape(), 1),
                           random_tensor<float>(problem.key_shape(), 2), random_tensor<float>(problem.key_shape(), 3));
    const Index dim = problem.dim, parts = y.size() / (3 * 4 * dim), at = problem.rules.variance_part();
    for (Index head = 0; head < 3 * 4; ++head) {
      const float* variance = y.data() + (head * parts + at) * dim;
      CHECK(std::count(variance, variance + dim, 0.0F) == dim);
    }
  }
}

TEST_CASE("pna_attention passes its derivative to a learned threshold") {
  const Problem problem{.batch = 1, .tokens = 5, .mode = ThresholdMode::softplus};
  auto q = random_tensor<double>(problem.query_shape(), 1);
  auto t = random_tensor<double>(Shape<>(), 4, 0.1);
  const auto function = [&](auto& context, auto& a, auto& threshold) {
    const auto source = pair_adjacency(
        context, rows_operand(context, a), rows_operand(context, a),
        [&] {
          auto options = problem.options<double>();
          options.attention.kv_heads = options.attention.heads;
          return options;
        }(),
        none, threshold);
    return pna_attention(context, source, rows_operand(context, a), problem.rules);
  };
  CHECK(gradcheck(function, std::tie(q, t)).passed);
}

TEST_CASE("pna_attention gives the same bits for any number of threads") {
  for (const PNAAttentionRules& rules : {neighbours(), selecting()}) {
    const Problem problem{.batch = 1, .heads = 4, .kv_heads = 2, .tokens = 70, .dim = 9, .rules = rules};
    auto q = random_tensor<float>(problem.query_shape(), 1);
    auto k = random_tensor<float>(problem.key_shape(), 2);
    auto v = random_tensor<float>(problem.key_shape(), 3);
    const auto seed = random_tensor<float>(Rows(1, 70, 4 * 4 * 9), 4);
    CHECK(same_bits_for_any_thread_count([&] {
      Tape tape;
      const auto qs = tape.watch(q), ks = tape.watch(k), vs = tape.watch(v);
      const auto y = problem(tape, qs, ks, vs);
      tape.backward(y, TensorView<const float, Rows>(seed.data(), seed.shape()));
      auto all = to_vector(y);
      for (const auto& part :
           {to_vector(tape.gradient(qs)), to_vector(tape.gradient(ks)), to_vector(tape.gradient(vs))}) {
        all.insert(all.end(), part.begin(), part.end());
      }
      return all;
    }));
  }
}

TEST_CASE("pna_attention says what does not fit") {
  const Problem problem;
  const auto q = random_tensor<float>(problem.query_shape(), 1);
  const auto k = random_tensor<float>(problem.key_shape(), 2);
  const auto v = random_tensor<float>(Rows(2, 6, 6), 3);
  Inference inference;
  CHECK_THROWS_WITH(problem(inference, q, k, v),
                    "pna_attention(source, v): v must be [2, 7, 2 * dim], found [2, 6, 6]");
}
