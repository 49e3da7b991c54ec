// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/softmax/softmax.hpp"
#include "weft/ops/softmax/softmax_naive.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

TEMPLATE_TEST_CASE("softmax agrees with the naive form for every awkward number of columns", "", float, double) {
  using T = TestType;
  using Kernels = SoftmaxKernels<Cpu>;
  for (const Index columns : kAwkwardSizes) {
    for (const Index rows : {1, 3}) {
      const Index count = rows * columns;
      const auto x = random_guarded<T>(count, 1, 1, 5);
      const auto dy = random_guarded<T>(count, 2, 3);
      Guarded<T> y(count, 2), dx(count, 1);
      Kernels::forward(rows, columns, x.data(), y.data());
      Kernels::backward(rows, columns, y.data(), dy.data(), GradientTarget<T>{dx.data(), false});
      const auto xs = widened(x), dys = widened(dy);
      std::vector<Wide<T>> y_expected(xs.size()), dx_expected(xs.size());
      kernels::softmax_naive(rows, columns, xs.data(), y_expected.data());
      kernels::softmax_backward_naive(rows, columns, y_expected.data(), dys.data(), dx_expected.data());
      // x - max is rounded once, which e^(x - max) multiplies by |x - max| <= 40.
      CHECK(largest_error(y, y_expected, [&](Index i) { return double(y_expected[std::size_t(i)]); }) < 50);
      CHECK(largest_error(dx, dx_expected, [&](Index i) { return double(y_expected[std::size_t(i)]) * 4; }) < 50);
      CHECK((y.intact() && dx.intact()));
      Kernels::backward(rows, columns, y.data(), dy.data(), GradientTarget<T>{dx.data(), true});
      for (auto& slope : dx_expected) slope *= 2;
      CHECK(largest_error(dx, dx_expected, [&](Index i) { return double(y_expected[std::size_t(i)]) * 8; }) < 50);
    }
  }
}

TEMPLATE_TEST_CASE("log_sum_exp agrees with the naive form for every awkward number of columns", "", float, double) {
  using T = TestType;
  using Kernels = SoftmaxKernels<Cpu>;
  for (const Index columns : kAwkwardSizes) {
    const Index rows = 3;
    const Index count = rows * columns;
    const auto x = random_guarded<T>(count, 1, 1, 5);
    const auto dy = random_guarded<T>(rows, 2);
    Guarded<T> y(rows, 1), dx(count, 1);
    Kernels::log_sum_exp(rows, columns, x.data(), y.data());
    Kernels::log_sum_exp_backward(rows, columns, x.data(), y.data(), dy.data(), GradientTarget<T>{dx.data(), false});
    const auto xs = widened(x), dys = widened(dy);
    std::vector<Wide<T>> y_expected(rows), dx_expected(xs.size());
    kernels::log_sum_exp_naive(rows, columns, xs.data(), y_expected.data());
    kernels::log_sum_exp_backward_naive(rows, columns, xs.data(), y_expected.data(), dys.data(), dx_expected.data());
    if (columns == 0) {
      for (Index row = 0; row < rows; ++row) CHECK(y[row] == -infinity<T>);
      continue;
    }
    CHECK(largest_error(y, y_expected, [](Index) { return 20.0; }) < 4);
    CHECK(largest_error(dx, dx_expected, [](Index) { return 40.0; }) < 2);
    CHECK((y.intact() && dx.intact()));
  }
}

TEST_CASE("the derivatives of softmax and log_sum_exp agree with finite differences") {
  auto fixed = random_tensor<double>(Shape<3, 4>(), 1);
  auto dynamic = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 2, 5), 2);
  const auto normalise = [](auto& context, auto& x) { return softmax(context, x); };
  const auto reduce = [](auto& context, auto& x) { return log_sum_exp(context, x); };
  CHECK(gradcheck(normalise, std::tie(fixed)).message == "gradcheck: 12 derivatives agree");
  CHECK(gradcheck(normalise, std::tie(dynamic)).message == "gradcheck: 20 derivatives agree");
  CHECK(gradcheck(reduce, std::tie(fixed)).passed);
  CHECK(gradcheck(reduce, std::tie(dynamic)).passed);
  auto vector = random_tensor<double>(Shape<6>(), 3);
  const auto both = [](auto& context, auto& x) { return log_sum_exp(context, softmax(context, x)); };
  CHECK(gradcheck(both, std::tie(vector)).message == "gradcheck: 6 derivatives agree");
}

TEMPLATE_TEST_CASE("softmax and log_sum_exp treat infinities and NaN as torch does", "", float, double) {
  using T = TestType;
  const T inf = infinity<T>;
  Tensor<T, Shape<5, 3>> x;
  const T values[] = {-inf, -inf, -inf, -inf, 1, 2, inf, 1, 2, not_a_number<T>, 1, inf, T(1e4), T(1e4), T(-1e4)};
  x.assign(values);
  Inference inference;
  const auto y = softmax(inference, x);
  for (const Index row : {0, 2, 3}) {
    for (Index i = 0; i < 3; ++i) CHECK((std::isnan(y(row, i)) || (row == 2 && i > 0 && y(row, i) == 0)));
  }
  CHECK(y(1, 0) == 0);
  CHECK(y(1, 1) + y(1, 2) == Approx(1));
  CHECK(y(4, 0) == T(0.5));
  CHECK(y(4, 2) == 0);
  const auto lse = log_sum_exp(inference, x);
  CHECK(lse(0) == -inf);
  CHECK(lse(1) == Approx(2 + std::log1p(std::exp(-1.0))));
  CHECK(lse(2) == inf);
  CHECK(std::isnan(lse(3)));
  CHECK(lse(4) == Approx(1e4 + std::log(2.0)));
}

TEST_CASE("softmax and log_sum_exp keep the shapes they promise") {
  const auto x = random_tensor<float>(Shape<Dyn, 2, Dyn>(3, 4), 1);
  Inference inference;
  static_assert(std::is_same_v<ShapeOf<decltype(softmax(inference, x))>, Shape<Dyn, 2, Dyn>>);
  static_assert(std::is_same_v<ShapeOf<decltype(log_sum_exp(inference, x))>, Shape<Dyn, 2>>);
  CHECK(log_sum_exp(inference, x).shape() == Shape<3, 2>());
}

TEST_CASE("softmax and log_sum_exp give the same bits for any number of threads") {
  const auto x = random_tensor<float>(Shape<Dyn, Dyn>(1501, 45), 1);
  Inference inference;
  CHECK(same_bits_for_any_thread_count([&] { return to_vector(softmax(inference, x)); }));
  CHECK(same_bits_for_any_thread_count([&] { return to_vector(log_sum_exp(inference, x)); }));
}
