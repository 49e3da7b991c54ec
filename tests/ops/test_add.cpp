// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/add/add.hpp"
#include "weft/ops/add/add_naive.hpp"
#include "weft/ops/scale/scale.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

TEMPLATE_TEST_CASE("add agrees with the naive form, exactly, for every awkward size", "", float, double) {
  using T = TestType;
  for (const Index count : kAwkwardSizes) {
    const auto a = random_guarded<T>(count, 1, 1);
    const auto b = random_guarded<T>(count, 2, 2);
    Guarded<T> y(count, 3), expected(count);
    AddKernels<Cpu>::forward(count, a.data(), b.data(), y.data());
    kernels::add_naive(count, a.data(), b.data(), expected.data());
    CHECK(std::equal(y.data(), y.data() + count, expected.data()));
    CHECK(y.intact());
  }
}

TEST_CASE("add's derivatives agree with finite differences, however its arguments are shared") {
  auto a = random_tensor<double>(Shape<Dyn, 4>(3), 1);
  auto b = random_tensor<double>(Shape<3, Dyn>(4), 2);
  const auto both = [](auto& context, auto& x, auto& y) { return add(context, x, y); };
  CHECK(gradcheck(both, std::tie(a, b)).message == "gradcheck: 24 derivatives agree");
  const auto twice = [](auto& context, auto& x) { return add(context, x, x); };
  CHECK(gradcheck(twice, std::tie(a)).passed);
  const auto diamond = [](auto& context, auto& x, auto& y) {
    const auto inner = add(context, x, y);
    return add(context, add(context, inner, scale(context, inner, 3)), x);
  };
  CHECK(gradcheck(diamond, std::tie(a, b)).passed);
  const auto left = [&](auto& context, auto& x) { return add(context, x, b); };
  CHECK(gradcheck(left, std::tie(a)).passed);
  const auto right = [&](auto& context, auto& y) { return add(context, a, y); };
  CHECK(gradcheck(right, std::tie(b)).passed);
}

TEST_CASE("add hands the memory of its gradient to an argument that has none") {
  auto a = random_tensor<float>(Shape<5>(), 1);
  const auto b = random_tensor<float>(Shape<5>(), 2);
  Tape tape;
  const auto x = tape.watch(a);
  const auto inner = scale(tape, x, 2);
  const auto y = add(tape, inner, b);
  const auto outer = scale(tape, y, 3);
  tape.retain_gradient(inner);
  tape.backward(outer, TensorView<const float, Shape<5>>(b.data(), b.shape()));
  for (Index i = 0; i < 5; ++i) {
    CHECK(tape.gradient(inner)(i) == 3 * b(i));
    CHECK(tape.gradient(x)(i) == 6 * b(i));
  }
}

TEST_CASE("add gives the same bits for any number of threads and merges known extents") {
  const auto a = random_tensor<float>(Shape<Dyn, 3>(30001), 1);
  const auto b = random_tensor<float>(Shape<Dyn, Dyn>(30001, 3), 2);
  Inference inference;
  static_assert(std::is_same_v<ShapeOf<decltype(add(inference, a, b))>, Shape<Dyn, 3>>);
  CHECK(same_bits_for_any_thread_count([&] { return to_vector(add(inference, a, b)); }));
}

TEST_CASE("add names both shapes when they disagree") {
  const Tensor<float, Shape<Dyn, Dyn>> a(Shape<Dyn, Dyn>(3, 4));
  const Tensor<float, Shape<Dyn, Dyn>> b(Shape<Dyn, Dyn>(4, 3));
  Inference inference;
  CHECK_THROWS_WITH(add(inference, a, b), "add(a, b): a and b must have the same shape, found [3, 4] and [4, 3]");
}
