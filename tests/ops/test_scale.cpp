// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/scale/scale.hpp"
#include "weft/ops/scale/scale_naive.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

TEMPLATE_TEST_CASE("scale agrees with the naive form for every awkward size", "", float, double) {
  using T = TestType;
  using Kernels = ScaleKernels<Cpu>;
  const T factor = T(1.7);
  for (const Index count : kAwkwardSizes) {
    const auto x = random_guarded<T>(count, 1, 1);
    const auto dy = random_guarded<T>(count, 2, 2);
    Guarded<T> y(count, 3), dx(count, 1), expected(count), dx_expected(count);
    Kernels::forward(count, x.data(), factor, static_cast<const T*>(nullptr), y.data());
    Kernels::backward_input(count, dy.data(), T{0}, &factor, GradientTarget<T>{dx.data(), false});
    T dfactor = 100;
    Kernels::backward_factor(count, x.data(), dy.data(), GradientTarget<T>{&dfactor, true});
    kernels::scale_naive(count, x.data(), factor, expected.data());
    const T dfactor_expected = kernels::scale_backward_naive(count, x.data(), factor, dy.data(), dx_expected.data());
    CHECK(std::equal(y.data(), y.data() + count, expected.data()));
    CHECK(std::equal(dx.data(), dx.data() + count, dx_expected.data()));
    // Sums of up to 127 products of numbers near 1, added to 100.
    CHECK(std::abs(dfactor - 100 - dfactor_expected) <= 200 * epsilon<T>);
    CHECK((y.intact() && dx.intact()));
  }
}

TEST_CASE("scale's derivatives agree with finite differences for a number and for learned factors") {
  auto x = random_tensor<double>(Shape<Dyn, 4>(3), 1);
  const auto by_number = [](auto& context, auto& a) { return scale(context, a, -2.5); };
  CHECK(gradcheck(by_number, std::tie(x)).message == "gradcheck: 12 derivatives agree");
  auto scalar = random_tensor<double>(Shape<>(), 2);
  auto single = random_tensor<double>(Shape<1>(), 3);
  const auto learned = [](auto& context, auto& a, auto& s) { return scale(context, a, s); };
  CHECK(gradcheck(learned, std::tie(x, scalar)).message == "gradcheck: 13 derivatives agree");
  CHECK(gradcheck(learned, std::tie(x, single)).passed);
  const auto twice = [](auto& context, auto& a, auto& s) { return scale(context, scale(context, a, s), s); };
  CHECK(gradcheck(twice, std::tie(x, scalar)).passed);
}

TEST_CASE("scale reaches the gradient of a parameter and leaves a frozen one alone") {
  auto x = random_tensor<float>(Shape<6>(), 1);
  Parameter<float, Shape<>> factor{Shape<>()};
  factor.data()[0] = 3;
  Tape tape;
  const auto y = scale(tape, x, factor);
  tape.backward(y, TensorView<const float, Shape<6>>(x.data(), x.shape()));
  float expected = 0;
  for (Index i = 0; i < 6; ++i) expected += x(i) * x(i);
  CHECK(factor.gradient().data()[0] == Approx(expected));
  factor.set_trainable(false);
  tape.reset();
  CHECK(scale(tape, x, factor).gradient_slot() == nullptr);
}

TEST_CASE("scale's derivative by the factor has the same bits for any number of threads") {
  auto x = random_tensor<float>(Shape<Dyn>(150001), 1);
  auto factor = random_tensor<float>(Shape<>(), 2);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    const auto s = tape.watch(factor);
    const auto y = scale(tape, x, s);
    tape.backward(y, TensorView<const float, Shape<Dyn>>(x.data(), x.shape()));
    return to_vector(tape.gradient(s));
  }));
}

TEST_CASE("scale refuses a factor with several elements") {
  const Tensor<float, Shape<4>> x;
  const Tensor<float, Shape<Dyn>> factor(Shape<Dyn>(2));
  Inference inference;
  CHECK_THROWS_WITH(scale(inference, x, factor),
                    "scale(x, factor): factor must be a number or have one element, found shape [2]");
}
