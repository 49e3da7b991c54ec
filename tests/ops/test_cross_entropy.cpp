// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/cross_entropy/cross_entropy.hpp"
#include "weft/ops/cross_entropy/cross_entropy_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::largest_difference;
using weft::testing::random_tensor;
using weft::testing::same_bits_for_any_thread_count;

namespace {

/// Columns at random; about one in four is ignored.
template <class Target, class ShapeType>
Tensor<Target, ShapeType> random_targets(const ShapeType& shape, Index vocabulary, std::uint64_t seed) {
  Tensor<Target, ShapeType> targets(shape);
  const Rng rng(seed);
  for (Index i = 0; i < targets.size(); ++i) {
    const auto position = static_cast<std::uint64_t>(2 * i);
    targets.data()[i] = static_cast<Target>(rng.below(position, static_cast<std::uint32_t>(vocabulary)));
    if (rng.below(position + 1, 4) == 0) targets.data()[i] = -100;
  }
  return targets;
}

template <class T>
void compare_with_naive(Index rows, Index vocabulary, bool shift, bool accumulate) {
  const auto logits = random_tensor<T>(Shape<Dyn, Dyn>(rows, vocabulary), 1, 5);
  const auto targets = random_targets<std::int64_t>(Shape<Dyn>(rows), vocabulary, 2);
  const CrossEntropySize size{rows, vocabulary, rows, -100, shift};
  std::vector<T> log_sum_exp(static_cast<std::size_t>(rows));
  const auto found = CrossEntropyKernels<Cpu>::sum(size, logits.data(), targets.data(), log_sum_exp.data());
  const auto expected = kernels::cross_entropy_naive(size, logits.data(), targets.data());
  CHECK(found.count == expected.count);
  // Each exponential is off by a few units in the last place; the differences and the logarithm are exact in double.
  const double epsilon = std::numeric_limits<T>::epsilon();
  CHECK(std::abs(found.sum - expected.sum) <= 40 * epsilon * static_cast<double>(rows));

  const auto before = random_tensor<T>(logits.shape(), 3);
  std::vector<T> gradient = weft::testing::to_vector(before);
  std::vector<double> expected_gradient(gradient.size());
  if (accumulate) std::copy(gradient.begin(), gradient.end(), expected_gradient.begin());
  const T dloss = T(0.7);
  CrossEntropyKernels<Cpu>::backward(size, logits.data(), targets.data(), log_sum_exp.data(), &dloss, 2.0,
                                     GradientTarget<T>{gradient.data(), accumulate});
  kernels::cross_entropy_backward_naive(size, logits.data(), targets.data(), double(dloss) / 2,
                                        expected_gradient.data());
  // exp(x - lse): the rounded lse (below 32 here) shifts every exponent by up to 16 epsilon; sums are below 4.
  CHECK(largest_difference(gradient, expected_gradient) <= 32 * epsilon);
}

}  // namespace

TEST_CASE("cross_entropy agrees with the naive form for every awkward size") {
  for (const Index vocabulary : {1, 2, 15, 16, 17, 67, 131, 1025, 2500}) {
    for (const Index rows : {0, 1, 3, 37}) {
      compare_with_naive<float>(rows, vocabulary, false, false);
      compare_with_naive<float>(rows, vocabulary, true, true);
      compare_with_naive<double>(rows, vocabulary, false, true);
      compare_with_naive<double>(rows, vocabulary, true, false);
    }
  }
}

TEST_CASE("cross_entropy of known logits is the known number") {
  Tensor<double, Shape<2, 3>> logits;
  logits.assign(std::vector<double>{1, 2, 3, 0, 0, 0});
  Tensor<std::int32_t, Shape<2>> targets;
  targets.assign(std::vector<std::int32_t>{2, 1});
  Inference inference;
  const double first = std::log(std::exp(-2.0) + std::exp(-1.0) + 1.0);
  CHECK(cross_entropy(inference, logits, targets).data()[0] == Approx((first + std::log(3.0)) / 2).epsilon(1e-14));
  CHECK(cross_entropy(inference, logits, targets, {.normaliser = 5}).data()[0] ==
        Approx((first + std::log(3.0)) / 5).epsilon(1e-14));
  const auto sum = cross_entropy_sum(logits, targets, {.ignore_index = 1});
  CHECK(sum.count == 1);
  CHECK(sum.sum == Approx(first).epsilon(1e-14));
}

TEST_CASE("cross_entropy stays exact where the exponentials would overflow or vanish") {
  Tensor<float, Shape<2, 3>> logits;
  logits.assign(std::vector<float>{5000, 4999, -3e38F, -5000, -5001, -std::numeric_limits<float>::infinity()});
  Tensor<std::int32_t, Shape<2>> targets;
  Inference inference;
  CHECK(cross_entropy(inference, logits, targets).data()[0] == Approx(std::log1p(std::exp(-1.0))).epsilon(1e-6));
}

TEST_CASE("cross_entropy with shift predicts the next token of the same sequence") {
  const auto logits = random_tensor<double>(Shape<2, Dyn, 5>(4), 1);
  auto targets = random_targets<std::int64_t>(Shape<2, Dyn>(4), 5, 2);
  targets(0, 0) = 99;  // never predicted, so not looked at
  targets(1, 0) = 99;
  double sum = 0;
  Index count = 0;
  for (Index b = 0; b < 2; ++b) {
    for (Index t = 0; t + 1 < 4; ++t) {
      if (targets(b, t + 1) == -100) continue;
      sum += kernels::log_sum_exp_naive(5, &logits(b, t, 0)) - logits(b, t, targets(b, t + 1));
      ++count;
    }
  }
  Inference inference;
  CHECK(cross_entropy(inference, logits, targets, {.shift = true}).data()[0] ==
        Approx(sum / double(count)).epsilon(1e-13));
  CHECK(cross_entropy_sum(logits, targets, {.shift = true}).mean() == Approx(sum / double(count)).epsilon(1e-13));
}

TEST_CASE("cross_entropy's derivatives agree with finite differences") {
  auto dynamic = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 3, 5), 1);
  auto fixed = random_tensor<double>(Shape<2, 3, 5>(), 1);
  const auto targets = random_targets<std::int32_t>(Shape<Dyn, 3>(2), 5, 3);
  for (const CrossEntropyOptions& options :
       {CrossEntropyOptions{}, CrossEntropyOptions{.shift = true}, CrossEntropyOptions{.normaliser = 7}}) {
    const auto loss = [&](auto& context, auto& logits) { return cross_entropy(context, logits, targets, options); };
    CHECK(gradcheck(loss, std::tie(dynamic)).message == "gradcheck: 30 derivatives agree");
    CHECK(gradcheck(loss, std::tie(fixed)).message == "gradcheck: 30 derivatives agree");
  }
}

TEST_CASE("cross_entropy of a single row needs no axis but that of the vocabulary") {
  auto logits = random_tensor<double>(Shape<4>(), 1);
  Tensor<std::int32_t, Shape<>> target;
  target.data()[0] = 3;
  CHECK(gradcheck([&](auto& context, auto& x) { return cross_entropy(context, x, target); }, std::tie(logits)).passed);
}

TEST_CASE("cross_entropy of ignored targets alone is NaN with a gradient of zero") {
  auto logits = random_tensor<float>(Shape<2, 3>(), 1);
  Tensor<std::int64_t, Shape<2>> targets;
  targets.assign(std::vector<std::int64_t>{-100, -100});
  Tape tape;
  const auto x = tape.watch(logits);
  const auto loss = cross_entropy(tape, x, targets);
  CHECK(std::isnan(loss.data()[0]));
  tape.backward(loss);
  for (const float value : tape.gradient(x).span()) CHECK(value == 0);
}

TEST_CASE("cross_entropy's results have the same bits for any number of threads") {
  const auto logits = random_tensor<float>(Shape<Dyn, 300>(129), 1, 4);
  const auto targets = random_targets<std::int32_t>(Shape<Dyn>(129), 300, 2);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    const auto x = tape.watch(TensorView<const float, Shape<Dyn, 300>>(logits));
    const auto loss = cross_entropy(tape, x, targets);
    tape.backward(loss);
    auto results = weft::testing::to_vector(tape.gradient(x));
    results.push_back(loss.data()[0]);
    return results;
  }));
}

TEST_CASE("cross_entropy refuses targets, shapes and normalisers that make no sense") {
  const auto logits = random_tensor<float>(Shape<Dyn, Dyn>(3, 7), 1);
  Tensor<std::int64_t, Shape<Dyn>> targets(Shape<Dyn>(3));
  Inference inference;
  targets(2) = 7;
  CHECK_THROWS_WITH(
      cross_entropy(inference, logits, targets),
      "cross_entropy(logits, targets): the target at position 2 is 7, neither in the vocabulary [0, 7) nor "
      "the ignored -100");
  targets(2) = -1;
  CHECK_THROWS_WITH(
      cross_entropy_sum(logits, targets, {.ignore_index = 0, .shift = true}),
      "cross_entropy(logits, targets): the target at position 2 is -1, neither in the vocabulary [0, 7) nor "
      "the ignored 0");
  targets(2) = 0;
  CHECK_THROWS_WITH(cross_entropy(inference, logits, targets, {.normaliser = -1}),
                    Catch::Matchers::ContainsSubstring("normaliser must be positive, or 0"));
  CHECK_THROWS_WITH(cross_entropy_sum(logits, targets, {.normaliser = 3}),
                    "cross_entropy_sum(logits, targets): a sum takes no normaliser");
  const Tensor<std::int32_t, Shape<Dyn>> too_many(Shape<Dyn>(4));
  CHECK_THROWS_WITH(
      cross_entropy(inference, logits, too_many),
      "cross_entropy(logits, targets): targets must have the shape of logits without its last axis, found 3 "
      "(shape [3, 7]) and 4 (shape [4])");
  const auto row = random_tensor<float>(Shape<3>(), 1);
  const Tensor<std::int32_t, Shape<>> scalar;
  CHECK_THROWS_WITH(cross_entropy(inference, row, scalar, {.shift = true}),
                    "cross_entropy(logits, targets): shift needs targets with an axis of tokens");
}
