// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/multiply/multiply.hpp"
#include "weft/ops/multiply/multiply_naive.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

TEMPLATE_TEST_CASE("multiply agrees with the naive form, exactly, for every awkward size", "", float, double) {
  using T = TestType;
  using Kernels = MultiplyKernels<Cpu>;
  for (const Index count : kAwkwardSizes) {
    const auto a = random_guarded<T>(count, 1, 1);
    const auto b = random_guarded<T>(count, 2, 2);
    const auto dy = random_guarded<T>(count, 3);
    Guarded<T> y(count, 3), da(count, 1), db(count, 2), expected(count), da_expected(count), db_expected(count);
    Kernels::forward(count, a.data(), b.data(), y.data());
    Kernels::backward(count, a.data(), b.data(), dy.data(), GradientTarget<T>{da.data(), false},
                      GradientTarget<T>{db.data(), false});
    kernels::multiply_naive(count, a.data(), b.data(), expected.data());
    kernels::multiply_backward_naive(count, a.data(), b.data(), dy.data(), da_expected.data(), db_expected.data());
    CHECK(std::equal(y.data(), y.data() + count, expected.data()));
    CHECK(std::equal(da.data(), da.data() + count, da_expected.data()));
    CHECK(std::equal(db.data(), db.data() + count, db_expected.data()));
    CHECK((y.intact() && da.intact() && db.intact()));
  }
}

TEST_CASE("multiply's derivatives agree with finite differences, also of a square") {
  auto a = random_tensor<double>(Shape<Dyn, 4>(3), 1);
  auto b = random_tensor<double>(Shape<3, Dyn>(4), 2);
  const auto both = [](auto& context, auto& x, auto& y) { return multiply(context, x, y); };
  CHECK(gradcheck(both, std::tie(a, b)).message == "gradcheck: 24 derivatives agree");
  const auto cube = [](auto& context, auto& x) { return multiply(context, multiply(context, x, x), x); };
  CHECK(gradcheck(cube, std::tie(a)).passed);
  const auto one_side = [&](auto& context, auto& y) { return multiply(context, a, y); };
  CHECK(gradcheck(one_side, std::tie(b)).passed);
}

TEST_CASE("multiply gives the same bits for any number of threads") {
  const auto a = random_tensor<float>(Shape<Dyn>(70003), 1);
  const auto b = random_tensor<float>(Shape<Dyn>(70003), 2);
  Inference inference;
  CHECK(same_bits_for_any_thread_count([&] { return to_vector(multiply(inference, a, b)); }));
}

TEST_CASE("multiply names both shapes when they disagree") {
  const Tensor<float, Shape<Dyn>> a(Shape<Dyn>(3));
  const Tensor<float, Shape<Dyn>> b(Shape<Dyn>(4));
  Inference inference;
  CHECK_THROWS_WITH(multiply(inference, a, b), "multiply(a, b): a and b must have the same shape, found [3] and [4]");
}
