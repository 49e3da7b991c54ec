// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/linear/linear.hpp"
#include "weft/ops/rotary/rotary.hpp"
#include "weft/ops/rotary/rotary_naive.hpp"

#include "ops/op_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using weft::testing::largest_difference;
using weft::testing::random_tensor;
using weft::testing::same_bits_for_any_thread_count;
using weft::testing::to_vector;

namespace {

template <class T>
void compare_with_naive(const RotarySize& size, Rotation rotation, bool accumulate) {
  const auto x = random_tensor<T>(Shape<Dyn, Dyn>(size.rows(), size.heads * size.head_dim), 1);
  // Tables without any symmetry: the two halves need not agree.
  const auto cos = random_tensor<T>(Shape<Dyn, Dyn, Dyn>(size.table_batch, size.tokens, size.head_dim), 2);
  const auto sin = random_tensor<T>(cos.shape(), 3);
  std::vector<T> y = to_vector(random_tensor<T>(x.shape(), 4));
  std::vector<T> expected(y.size());
  kernels::rotary_naive(size, rotation, x.data(), cos.data(), sin.data(), expected.data());
  if (accumulate) {
    for (std::size_t i = 0; i < y.size(); ++i) expected[i] += y[i];
  }
  RotaryKernels<Cpu>::rotate(size, rotation, x.data(), cos.data(), sin.data(), GradientTarget<T>{y.data(), accumulate});
  // Normal values below 5: products below 25, three of them added, half an epsilon of rounding each.
  CHECK(largest_difference(y, expected) <= 75 * std::numeric_limits<T>::epsilon());
}

}  // namespace

TEST_CASE("rotary_embedding agrees with the naive form for every awkward size") {
  for (const Index head_dim : {0, 2, 4, 30, 32, 34, 62, 66, 70, 128}) {
    for (const auto rotation : {Rotation::forward, Rotation::back}) {
      compare_with_naive<float>({2, 3, 5, head_dim, 1}, rotation, false);
      compare_with_naive<float>({2, 3, 1, head_dim, 2}, rotation, true);
      compare_with_naive<double>({1, 1, 3, head_dim, 1}, rotation, true);
      compare_with_naive<double>({3, 2, 2, head_dim, 3}, rotation, false);
    }
  }
  compare_with_naive<float>({0, 3, 2, 8, 1}, Rotation::forward, false);
  compare_with_naive<float>({2, 0, 2, 8, 2}, Rotation::forward, false);
}

TEST_CASE("rotary_embedding's derivatives agree with finite differences") {
  auto dynamic = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 3, 12), 1);
  auto fixed = random_tensor<double>(Shape<2, 3, 12>(), 1);
  const auto shared_cos = random_tensor<double>(Shape<1, 3, 6>(), 2);
  const auto shared_sin = random_tensor<double>(Shape<1, 3, 6>(), 3);
  const auto own_cos = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 3, 4), 4);
  const auto own_sin = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 3, 4), 5);
  const auto shared = [&](auto& context, auto& x) { return rotary_embedding(context, x, shared_cos, shared_sin, 2); };
  const auto own = [&](auto& context, auto& x) { return rotary_embedding(context, x, own_cos, own_sin, 3); };
  CHECK(gradcheck(shared, std::tie(dynamic)).message == "gradcheck: 72 derivatives agree");
  CHECK(gradcheck(own, std::tie(dynamic)).passed);
  CHECK(gradcheck(shared, std::tie(fixed)).passed);
  CHECK(gradcheck(own, std::tie(fixed)).passed);
}

TEST_CASE("rotary_embedding's results have the same bits for any number of threads") {
  const RotarySize size{2, 37, 8, 70, 1};
  const auto x = random_tensor<float>(Shape<2, 37, 560>(), 1);
  const auto cos = random_tensor<float>(Shape<1, 37, 70>(), 2);
  const auto sin = random_tensor<float>(Shape<1, 37, 70>(), 3);
  CHECK(same_bits_for_any_thread_count([&] {
    std::vector<float> y = to_vector(x);
    RotaryKernels<Cpu>::rotate(size, Rotation::forward, x.data(), cos.data(), sin.data(),
                               GradientTarget<float>{y.data(), true});
    return y;
  }));
}

TEST_CASE("rotary_embedding refuses heads and tables that do not fit") {
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(2, 3, 12), 1);
  const auto table = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 3, 6), 2);
  Inference inference;
  CHECK_THROWS_WITH(
      rotary_embedding(inference, x, table, table, 3),
      "rotary_embedding(x, cos, sin, heads): the last axis of x must be heads * head_dim, found 12 for 3 heads "
      "of 6");
  const auto odd = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 3, 3), 2);
  CHECK_THROWS_WITH(rotary_embedding(inference, x, odd, odd, 4),
                    "rotary_embedding(x, cos, sin, heads): head_dim must be even, found 3");
  const auto longer = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 4, 6), 2);
  CHECK_THROWS_WITH(
      rotary_embedding(inference, x, longer, longer, 2),
      "rotary_embedding(x, cos, sin, heads): x and the tables must have as many tokens, found 3 (shape [2, 3, "
      "12]) and 4 (shape [1, 4, 6])");
  const auto three = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(3, 3, 6), 2);
  CHECK_THROWS_WITH(
      rotary_embedding(inference, x, three, three, 2),
      "rotary_embedding(x, cos, sin, heads): cos and sin must be [1 or batch, tokens, head_dim] for x of shape "
      "[2, 3, 12], found [3, 3, 6] and [3, 3, 6]");
}

TEST_CASE("rotary_embedding in place gives the same values and gradients in the memory of its argument") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 3, 12), 1);
  const auto weight = random_tensor<double>(Shape<12, 12>(), 6);
  const auto cos = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(1, 3, 6), 2);
  const auto sin = random_tensor<double>(cos.shape(), 3);
  const auto in_place = [&](auto& context, auto& in) {
    const auto projected = linear(context, in, weight);
    const auto rotated = rotary_embedding_in_place(context, projected, cos, sin, 2);
    CHECK(rotated.data() == projected.data());
    return rotated;
  };
  CHECK(gradcheck(in_place, std::tie(x)).message == "gradcheck: 72 derivatives agree");
  Inference inference;
  const auto expected = rotary_embedding(inference, linear(inference, x, weight), cos, sin, 2);
  const auto found = in_place(inference, x);
  CHECK(std::equal(found.data(), found.data() + found.size(), expected.data()));
}
