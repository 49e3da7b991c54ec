// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/activation/activation.hpp"
#include "weft/ops/activation/activation_naive.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

constexpr Activation kAll[] = {Activation::identity, Activation::silu,    Activation::gelu, Activation::gelu_tanh,
                               Activation::relu,     Activation::sigmoid, Activation::tanh, Activation::softplus};

template <class T>
T value_at(Activation activation, T x) {
  T y;
  ActivationKernels<Cpu>::forward(activation, 1, &x, &y);
  return y;
}

template <class T>
T slope_at(Activation activation, T x) {
  const T dy = 1;
  T dx;
  ActivationKernels<Cpu>::backward(activation, 1, &x, &dy, GradientTarget<T>{&dx, false});
  return dx;
}

/// Each function is a handful of roundings of numbers up to |x| or 1; the error function of xsimd in double has more.
template <class T>
double bound(Activation activation) {
  return activation == Activation::gelu && std::is_same_v<T, double> ? 20 : 6;
}

}  // namespace

TEMPLATE_TEST_CASE("activations agree with the naive form for every awkward size", "", float, double) {
  using T = TestType;
  for (const Activation activation : kAll) {
    for (const Index count : kAwkwardSizes) {
      for (const Index shift : {0, 1}) {
        const auto x = random_guarded<T>(count, 1, shift, 3);
        const auto dy = random_guarded<T>(count, 2, 2 * shift);
        Guarded<T> y(count, shift);
        Guarded<T> dx(count, 3 * shift);
        ActivationKernels<Cpu>::forward(activation, count, x.data(), y.data());
        ActivationKernels<Cpu>::backward(activation, count, x.data(), dy.data(), GradientTarget<T>{dx.data(), false});
        std::vector<Wide<T>> expected;
        std::vector<Wide<T>> slopes;
        for (const Wide<T> value : widened(x)) expected.push_back(kernels::activation_naive(activation, value));
        for (Index i = 0; i < count; ++i) {
          slopes.push_back(kernels::activation_slope_naive<Wide<T>>(activation, x[i]) * dy[i]);
        }
        CHECK(largest_error(y, expected, [&](Index i) { return 1 + std::abs(x[i]); }) < bound<T>(activation));
        CHECK(largest_error(dx, slopes, [&](Index i) { return (1 + std::abs(x[i])) * std::abs(dy[i]); }) <
              bound<T>(activation));
        CHECK((y.intact() && dx.intact()));

        ActivationKernels<Cpu>::backward(activation, count, x.data(), dy.data(), GradientTarget<T>{dx.data(), true});
        for (auto& slope : slopes) slope *= 2;
        CHECK(largest_error(dx, slopes, [&](Index i) { return (1 + std::abs(x[i])) * std::abs(dy[i]); }) <
              2 * bound<T>(activation));
      }
    }
  }
}

TEST_CASE("the derivatives of activations agree with finite differences") {
  auto fixed = random_tensor<double>(Shape<3, 4>(), 1, 2);
  auto dynamic = random_tensor<double>(Shape<Dyn, Dyn>(2, 5), 2, 2);
  for (const Activation activation : kAll) {
    const auto apply = [&](auto& context, auto& x) { return activate(context, x, activation); };
    CHECK(gradcheck(apply, std::tie(fixed)).message == "gradcheck: 12 derivatives agree");
    CHECK(gradcheck(apply, std::tie(dynamic)).message == "gradcheck: 10 derivatives agree");
  }
}

TEST_CASE("each named activation is what its name says") {
  const auto x = random_tensor<float>(Shape<7>(), 3);
  Inference inference;
  const auto same = [&](const auto& y, Activation activation) {
    return to_vector(y) == to_vector(activate(inference, x, activation));
  };
  CHECK(same(silu(inference, x), Activation::silu));
  CHECK(same(gelu(inference, x), Activation::gelu));
  CHECK(same(relu(inference, x), Activation::relu));
  CHECK(same(sigmoid(inference, x), Activation::sigmoid));
  CHECK(same(tanh(inference, x), Activation::tanh));
  CHECK(same(softplus(inference, x), Activation::softplus));
  static_assert(std::is_same_v<ShapeOf<decltype(silu(inference, x))>, Shape<7>>);
}

TEMPLATE_TEST_CASE("activations treat infinities, NaN and the kinks as torch does", "", float, double) {
  using T = TestType;
  const T huge = std::numeric_limits<T>::max();
  CHECK(value_at<T>(Activation::silu, -huge) == 0);
  CHECK(std::signbit(value_at<T>(Activation::silu, -huge)));
  CHECK(std::isnan(value_at<T>(Activation::silu, -infinity<T>)));
  CHECK(value_at<T>(Activation::silu, infinity<T>) == infinity<T>);
  CHECK(slope_at<T>(Activation::silu, -huge) == 0);
  CHECK(std::isnan(value_at<T>(Activation::gelu, -infinity<T>)));
  CHECK(value_at<T>(Activation::gelu, infinity<T>) == infinity<T>);
  CHECK(value_at<T>(Activation::relu, -infinity<T>) == 0);
  CHECK(slope_at<T>(Activation::relu, 0) == 0);
  CHECK(slope_at<T>(Activation::relu, std::numeric_limits<T>::min()) == 1);
  CHECK(value_at<T>(Activation::sigmoid, -infinity<T>) == 0);
  CHECK(value_at<T>(Activation::sigmoid, infinity<T>) == 1);
  CHECK(value_at<T>(Activation::tanh, -infinity<T>) == -1);
  CHECK(value_at<T>(Activation::tanh, infinity<T>) == 1);
  CHECK(value_at<T>(Activation::softplus, -infinity<T>) == 0);
  CHECK(value_at<T>(Activation::softplus, infinity<T>) == infinity<T>);
  for (const T above : {T(20.001), T(1000)}) {
    CHECK(value_at<T>(Activation::softplus, above) == above);
    CHECK(slope_at<T>(Activation::softplus, above) == 1);
  }
  CHECK(slope_at<T>(Activation::softplus, 15) < 1);
  for (const Activation activation : kAll) CHECK(std::isnan(value_at(activation, not_a_number<T>)));
}

TEST_CASE("silu keeps its relative accuracy in the negative tail") {
  for (float x = -80; x < 0; x += 0.37F) {
    const double expected = kernels::activation_naive(Activation::silu, double(x));
    CHECK(std::abs(value_at(Activation::silu, x) - expected) <= 3 * epsilon<float> * std::abs(expected));
  }
}

TEST_CASE("activations give the same bits for any number of threads") {
  const auto x = random_tensor<float>(Shape<Dyn>(70003), 5, 3);
  for (const Activation activation : kAll) {
    CHECK(same_bits_for_any_thread_count([&] {
      Inference inference;
      return to_vector(activate(inference, x, activation));
    }));
  }
}
