// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/linear/linear.hpp"
#include "weft/ops/linear/linear_naive.hpp"

#include "ops/naive_checks.hpp"

using namespace weft;
using namespace weft::testing;

TEMPLATE_TEST_CASE("linear agrees with the naive form, with and without bias and residual", "", float, double) {
  using T = TestType;
  for (const auto& size : {LinearSize{0, 3, 5}, LinearSize{1, 1, 1}, LinearSize{1, 67, 129}, LinearSize{7, 17, 5},
                           LinearSize{33, 64, 31}}) {
    const auto x = random_tensor<T>(Shape<Dyn, Dyn>(size.rows, size.in_features), 1);
    const auto weight = random_tensor<T>(Shape<Dyn, Dyn>(size.out_features, size.in_features), 2);
    const auto bias = random_tensor<T>(Shape<Dyn>(size.out_features), 3);
    const auto residual = random_tensor<T>(Shape<Dyn, Dyn>(size.rows, size.out_features), 4);
    const auto xs = wide(x), weights = wide(weight), biases = wide(bias), residuals = wide(residual);
    std::vector<Wide<T>> expected(residuals.size());
    const double scale = 4 + norm_of(xs) * norm_of(weights) / std::sqrt(static_cast<double>(size.rows + 1));
    Inference inference;
    kernels::linear_naive(size, xs.data(), weights.data(), biases.data(), residuals.data(), expected.data());
    CHECK(error_in_epsilons(linear(inference, x, weight, bias, residual), expected, scale) < 4);
    kernels::linear_naive<Wide<T>>(size, xs.data(), weights.data(), nullptr, nullptr, expected.data());
    CHECK(error_in_epsilons(linear(inference, x, weight), expected, scale) < 4);
  }
}

TEST_CASE("linear's result knows the extents that its operands know") {
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, 7>(2, 3), 1);
  const auto weight = random_tensor<float>(Shape<5, 7>(), 2);
  Inference inference;
  static_assert(std::is_same_v<ShapeOf<decltype(linear(inference, x, weight))>, Shape<Dyn, Dyn, 5>>);
}

TEST_CASE("linear has the same bits for any number of threads, and needs no heap") {
  auto x = random_tensor<float>(Shape<Dyn, Dyn>(130, 67), 1);
  auto weight = random_tensor<float>(Shape<Dyn, Dyn>(129, 67), 2);
  auto bias = random_tensor<float>(Shape<Dyn>(129), 3);
  check_operation([](auto& context, const auto& a, const auto& w, const auto& b) { return linear(context, a, w, b); },
                  x, weight, bias);
}

TEST_CASE("linear's derivatives agree with finite differences") {
  auto x = random_tensor<double>(Shape<Dyn, 4>(3), 1);
  auto weight = random_tensor<double>(Shape<5, Dyn>(4), 2);
  auto bias = random_tensor<double>(Shape<5>(), 3);
  auto residual = random_tensor<double>(Shape<Dyn, 5>(3), 4);
  const auto with_all = [](auto& context, auto& a, auto& w, auto& b, auto& r) { return linear(context, a, w, b, r); };
  const auto result = gradcheck(with_all, std::tie(x, weight, bias, residual));
  CHECK(result.message == "gradcheck: 52 derivatives agree");
  const auto twice = [](auto& context, auto& a, auto& w) {
    return linear(context, linear(context, a, w), w);  // one weight used twice: contributions add
  };
  auto square = random_tensor<double>(Shape<4, 4>(), 5);
  CHECK(gradcheck(twice, std::tie(x, square)).passed);
}

TEST_CASE("linear names both extents when dynamic shapes disagree") {
  const Tensor<float, Shape<Dyn, Dyn>> x(Shape<Dyn, Dyn>(3, 64));
  const Tensor<float, Shape<Dyn, Dyn>> weight(Shape<Dyn, Dyn>(48, 32));
  Inference inference;
  CHECK_THROWS_WITH(linear(inference, x, weight),
                    "linear(x, weight): the last axis of x must equal the last axis of weight [out, in], found 64 "
                    "(shape [3, 64]) and 32 (shape [48, 32])");
  const Tensor<float, Shape<Dyn, Dyn>> fitting(Shape<Dyn, Dyn>(48, 64)), rows(Shape<Dyn, Dyn>(2, 48));
  const Tensor<float, Shape<Dyn>> bias(Shape<Dyn>(47));
  using Catch::Matchers::ContainsSubstring;
  CHECK_THROWS_WITH(linear(inference, x, fitting, bias),
                    ContainsSubstring("bias must have one value for each row of weight [out, in], found 47"));
  CHECK_THROWS_WITH(linear(inference, x, fitting, none, rows),
                    "linear(x, weight, bias, residual): residual must have shape [3, 48], found [2, 48]");
  CHECK_THROWS_WITH(linear(inference, x, fitting, none, x),
                    ContainsSubstring("the last axis of residual must equal the first of weight"));
}
