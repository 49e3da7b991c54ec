// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/linear/linear.hpp"

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::random_tensor;

namespace {

template <class T>
double expected_element(const T* x, const T* weight, Index in, Index row, Index column) {
  double sum = 0;
  for (Index i = 0; i < in; ++i) sum += double(x[row * in + i]) * double(weight[column * in + i]);
  return sum;
}

}  // namespace

TEST_CASE("linear computes x Wᵀ + b + residual for static and dynamic extents") {
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, 7>(2, 3), 1);
  const auto weight = random_tensor<float>(Shape<5, 7>(), 2);
  const auto bias = random_tensor<float>(Shape<Dyn>(5), 3);
  const auto residual = random_tensor<float>(Shape<Dyn, Dyn, 5>(2, 3), 4);
  Inference inference;
  const auto y = linear(inference, x, weight, bias, residual);
  static_assert(std::is_same_v<ShapeOf<decltype(y)>, Shape<Dyn, Dyn, 5>>);
  for (Index row = 0; row < 6; ++row) {
    for (Index column = 0; column < 5; ++column) {
      const double expected =
          expected_element(x.data(), weight.data(), 7, row, column) + bias(column) + residual.data()[row * 5 + column];
      CHECK(y.data()[row * 5 + column] == Approx(expected).margin(1e-5));
    }
  }
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
}
