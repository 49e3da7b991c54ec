// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/adj_rms_norm/adj_rms_norm.hpp"
#include "weft/ops/adj_rms_norm/adj_rms_norm_naive.hpp"
#include "weft/ops/adjacency/step_functions.hpp"
#include "weft/ops/gumbel_sigmoid/gumbel_sigmoid.hpp"
#include "weft/ops/gumbel_sigmoid/gumbel_sigmoid_naive.hpp"
#include "weft/ops/linear_columns/linear_columns.hpp"
#include "weft/ops/linear_columns/linear_columns_naive.hpp"

#include "ops/naive_checks.hpp"
#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

TEST_CASE("flow_threshold is a product of two steps and has its derivatives") {
  auto x = random_tensor<double>(Shape<Dyn, 7>(3), 1, 0.3);
  Tensor<double, Shape<>> t;
  *t.data() = 0.2;
  Inference inference;
  const auto y = flow_threshold(inference, x, t, 3, 20);
  for (Index i = 0; i < x.size(); ++i) {
    CHECK(y.data()[i] == Approx(sigmoid_of(3 * x.data()[i]) * sigmoid_of(20 * (x.data()[i] - 0.2))));
  }
  CHECK(
      gradcheck([](auto& context, auto& a, auto& b) { return flow_threshold(context, a, b); }, std::tie(x, t)).passed);
  CHECK_THROWS_WITH(flow_threshold(inference, x, x),
                    "flow_threshold(x, threshold): threshold must have one element, found [3, 7]");
}

TEST_CASE("sharp_softplus is softplus on another scale and has its derivative") {
  auto x = random_tensor<double>(Shape<5, Dyn>(3), 1);
  x(0, 0) = 4;
  Inference inference;
  const auto y = sharp_softplus(inference, x, 10);
  for (Index i = 0; i < x.size(); ++i) CHECK(y.data()[i] == Approx(std::log1p(std::exp(10 * x.data()[i])) / 10));
  CHECK(y(0, 0) == 4);
  CHECK(gradcheck([](auto& context, auto& a) { return sharp_softplus(context, a, 3); }, std::tie(x)).passed);
  CHECK_THROWS_WITH(sharp_softplus(inference, x, 0), "sharp_softplus(x, beta): beta must be positive, found 0");
}

TEST_CASE("scaled_topk_causal_4d is strictly lower triangular, takes its share of each row, and passes no gradient") {
  auto a = random_tensor<double>(Shape<2, Dyn, 6, 6>(3), 1);
  Tape tape;
  const auto watched = tape.watch(a);
  const auto p = scaled_topk_causal_4d(tape, watched, 0.5, 0.1, TopKTies::lowest_index);
  CHECK(p.gradient_slot() == nullptr);
  for (Index b = 0; b < 2; ++b) {
    for (Index n = 0; n < 3; ++n) {
      for (Index i = 0; i < 6; ++i) {
        double before = 0;
        for (Index j = 0; j < i; ++j) before += p(b, n, i, j);
        CHECK(before == std::ceil(0.5 * static_cast<double>(i)));
        for (Index j = i; j < 6; ++j) CHECK(p(b, n, i, j) == 0);
      }
    }
  }
  Inference inference;
  CHECK_THROWS_WITH(
      scaled_topk_causal_4d(inference, a, 1.5),
      "process_adjacency(a): top_k_fraction must be in (0, 1] in the mode scaled_topk_causal_4d, found 1.5");
}

TEST_CASE("gumbel_sigmoid switches by given noise or by a stream, and has its derivative") {
  auto logits = random_tensor<double>(Shape<2, Dyn>(3), 1);
  Tensor<double, Shape<2, 3, 2>> uniforms;
  const Rng rng(4);
  for (Index i = 0; i < uniforms.size(); ++i) uniforms.data()[i] = double(rng.uniform(static_cast<std::uint64_t>(i)));
  Inference inference;
  const auto y = gumbel_sigmoid(inference, logits, uniforms, 0.7);
  CHECK(to_vector(y) == to_vector(gumbel_sigmoid(inference, logits, rng, 0.7)));
  for (Index i = 0; i < logits.size(); ++i) {
    const auto noise = [&](Index at) { return -std::log(-std::log(uniforms.data()[at] + 1e-10) + 1e-10); };
    CHECK(y.data()[i] == Approx(sigmoid_of((logits.data()[i] + noise(2 * i + 1) - noise(2 * i)) / 0.7)));
  }
  const auto run = [&](auto& context, auto& x) { return gumbel_sigmoid(context, x, uniforms, 0.7); };
  CHECK(gradcheck(run, std::tie(logits)).passed);
  CHECK_THROWS_WITH(gumbel_sigmoid(inference, logits, logits),
                    "gumbel_sigmoid(logits, uniforms): there must be two numbers for each of 6 logits, found 6");
  CHECK_THROWS_WITH(gumbel_sigmoid(inference, logits, rng, 0), "gumbel_sigmoid(logits): tau must be positive, found 0");
}

TEMPLATE_TEST_CASE("adj_rms_norm and gumbel_sigmoid agree with their naive forms", "", float, double) {
  using T = TestType;
  for (const Index count : {1, 2, 7, 17, 31, 67, 2049}) {
    const auto x = random_tensor<T>(Shape<Dyn, Dyn>(2, count), 1);
    Tensor<T, Shape<>> weight;
    *weight.data() = T(1.5);
    auto uniforms = random_tensor<T>(Shape<Dyn>(4 * count), 2);
    for (T& value : uniforms.span()) value = 1 / (1 + std::exp(-value));
    const auto xs = wide(x), us = wide(uniforms);
    std::vector<Wide<T>> expected(xs.size());
    Inference inference;
    kernels::adj_rms_norm_naive<Wide<T>>(2, count, 1e-3, 1.5, xs.data(), expected.data());
    CHECK(error_in_epsilons(adj_rms_norm(inference, x, weight, 1e-3), expected, 1 + norm_of(expected)) < 8);
    kernels::gumbel_sigmoid_naive<Wide<T>>(2 * count, xs.data(), us.data(), 0.7, 1e-10, expected.data());
    // A slope of 1/4 at most, of a sum of numbers below 8 over tau, behind two logarithms.
    CHECK(error_in_epsilons(gumbel_sigmoid(inference, x, uniforms, 0.7), expected, 8) < 4);
  }
}

TEST_CASE("adj_rms_norm has the derivatives of finite differences, static and dynamic") {
  auto x = random_tensor<double>(Shape<2, Dyn, 3, 5>(2), 1);
  auto fixed = random_tensor<double>(Shape<2, 9>(), 1);
  Tensor<double, Shape<>> weight;
  *weight.data() = 1.7;
  const auto weighted = [](auto& context, auto& a, auto& w) { return adj_rms_norm(context, a, w); };
  CHECK(gradcheck(weighted, std::tie(x, weight)).message == "gradcheck: 61 derivatives agree");
  CHECK(gradcheck(weighted, std::tie(fixed, weight)).passed);
  CHECK(gradcheck([](auto& context, auto& a) { return adj_rms_norm(context, a); }, std::tie(x)).passed);
}

TEMPLATE_TEST_CASE("linear_columns agrees with the naive form", "", float, double) {
  using T = TestType;
  for (const Index features : {1, 3, 17, 33}) {
    for (const Index rows : {0, 1, 7, 33}) {
      const LinearColumnsSize size{rows, features, 5, features + 4, 3};
      const auto x = random_tensor<T>(Shape<1, Dyn, Dyn>(rows, features), 1);
      const auto weight = random_tensor<T>(Shape<5, Dyn>(size.columns), 2);
      const auto bias = random_tensor<T>(Shape<5>(), 3);
      std::vector<T> expected(static_cast<std::size_t>(rows * 5));
      kernels::linear_columns_naive(size, x.data(), weight.data(), bias.data(), expected.data());
      Inference inference;
      CHECK(error_in_epsilons(linear_columns(inference, x, weight, 3, bias), expected,
                              1 + norm_of(wide(x)) * norm_of(wide(weight))) < 4);
    }
  }
}

TEST_CASE("linear_columns' derivatives agree with finite differences, and it refuses columns that are not there") {
  auto x = random_tensor<double>(Shape<Dyn, 2, 3>(2), 1);
  auto weight = random_tensor<double>(Shape<5, Dyn>(7), 2);
  auto bias = random_tensor<double>(Shape<5>(), 3);
  const auto run = [](auto& context, auto& a, auto& w, auto& b) {
    return linear_columns(context, linear_columns(context, a, w, 4), w, 1, b);
  };
  CHECK(gradcheck(run, std::tie(x, weight, bias)).passed);
  auto fixed = random_tensor<double>(Shape<2, 2, 3>(), 1);
  auto fixed_weight = random_tensor<double>(Shape<5, 7>(), 2);
  CHECK(gradcheck([](auto& context, auto& a, auto& w, auto& b) { return linear_columns(context, a, w, 4, b); },
                  std::tie(fixed, fixed_weight, bias))
            .passed);
  Inference inference;
  CHECK_THROWS_WITH(linear_columns(inference, x, weight, 5),
                    "linear_columns(x, weight): columns 5 to 8 are not all in a weight of shape [5, 7]");
}

TEST_CASE("functions of adjacencies have the same bits for any number of threads") {
  auto x = random_tensor<float>(Shape<2, 150, 151>(), 1);
  auto t = random_tensor<float>(Shape<>(), 2);
  const Rng rng(5);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    const auto a = tape.watch(x);
    const auto threshold = tape.watch(t);
    const auto step = flow_threshold(tape, adj_rms_norm(tape, a), threshold);
    const auto y = gumbel_sigmoid(tape, sharp_softplus(tape, step, 4), rng);
    tape.backward(y, TensorView<const float, ShapeOf<decltype(y)>>(x.data(), y.shape()));
    auto all = to_vector(y);
    for (const auto& part : {to_vector(tape.gradient(a)), to_vector(tape.gradient(threshold))}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }));
}
