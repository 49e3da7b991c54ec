// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/rms_norm/rms_norm.hpp"
#include "weft/ops/rms_norm/rms_norm_naive.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("rms_norm gives the known answer of the specification") {
  Tensor<float, Shape<4>> x;
  Tensor<float, Shape<4>> weight;
  const float values[] = {1, -2, 3, 0.5F};
  const float expected[] = {0.5298122F, -1.0596243F, 1.5894365F, 0.2649061F};
  x.assign(values);
  for (Index i = 0; i < 4; ++i) weight(i) = 1;
  Inference inference;
  const auto y = rms_norm(inference, x, weight, 1e-5);
  for (Index i = 0; i < 4; ++i) CHECK(y(i) == Approx(expected[i]).epsilon(1e-6));
}

TEMPLATE_TEST_CASE("rms_norm agrees with the naive form for every awkward number of features", "", float, double) {
  using T = TestType;
  using Kernels = RMSNormKernels<Cpu>;
  for (const Index features : kAwkwardSizes) {
    for (const Index rows : {0, 1, 3, 40}) {
      const Index count = rows * features;
      const RMSNormSize<T> size{rows, features, T(1e-5)};
      const RMSNormSize<Wide<T>> wide{rows, features, Wide<T>(size.eps)};
      const auto x = random_guarded<T>(count, 1, 1);
      const auto weight = random_guarded<T>(features, 2, 3);
      const auto dy = random_guarded<T>(count, 3, 2);
      Guarded<T> y(count, 1), dx(count, 3), dweight(features, 1);
      Kernels::forward(size, x.data(), weight.data(), y.data());
      Kernels::backward(size, x.data(), weight.data(), dy.data(), GradientTarget<T>{dx.data(), false},
                        GradientTarget<T>{dweight.data(), false});
      const auto xs = widened(x), weights = widened(weight), dys = widened(dy);
      std::vector<Wide<T>> y_expected(xs.size()), dx_expected(xs.size()), dweight_expected(weights.size());
      kernels::rms_norm_naive(wide, xs.data(), weights.data(), y_expected.data());
      kernels::rms_norm_backward_naive(wide, xs.data(), weights.data(), dys.data(), dx_expected.data(),
                                       dweight_expected.data());
      // A row's values are within sqrt(features); r is below 20 for these rows unless a row has few features.
      const double reach = std::sqrt(static_cast<double>(features)) * 4;
      CHECK(largest_error(y, y_expected, [&](Index) { return reach; }) < 4);
      double largest_slope = 1;
      for (const auto slope : dx_expected) largest_slope = std::max(largest_slope, std::abs(double(slope)));
      CHECK(largest_error(dx, dx_expected, [&](Index) { return reach * largest_slope; }) < 8);
      CHECK(largest_error(dweight, dweight_expected, [&](Index) { return double(rows + 1) * reach; }) < 4);
      CHECK((y.intact() && dx.intact() && dweight.intact()));

      Guarded<T> added(count, 2), weight_added(features, 2);
      std::fill(added.data(), added.data() + count, T{1});
      std::fill(weight_added.data(), weight_added.data() + features, T{1});
      Kernels::backward(size, x.data(), weight.data(), dy.data(), GradientTarget<T>{added.data(), true},
                        GradientTarget<T>{weight_added.data(), true});
      std::vector<Wide<T>> one_more(dx.data(), dx.data() + count),
          weight_one_more(dweight.data(), dweight.data() + features);
      for (auto& value : one_more) value += 1;
      for (auto& value : weight_one_more) value += 1;
      // The sum is rounded once; where the compiler contracts it with the product before, the other is rounded once
      // more.
      CHECK(largest_error(added, one_more, [&](Index i) { return 1 + std::abs(dx[i]); }) < 2);
      CHECK(largest_error(weight_added, weight_one_more, [&](Index i) { return 1 + std::abs(dweight[i]); }) < 2);
    }
  }
}

TEST_CASE("rms_norm's derivatives agree with finite differences") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn, 7>(2, 3), 1);
  auto weight = random_tensor<double>(Shape<7>(), 2);
  const auto apply = [](auto& context, auto& a, auto& w) { return rms_norm(context, a, w, 1e-5); };
  CHECK(gradcheck(apply, std::tie(x, weight)).message == "gradcheck: 49 derivatives agree");
  auto dynamic = random_tensor<double>(Shape<Dyn>(7), 3);
  CHECK(gradcheck(apply, std::tie(x, dynamic)).passed);
  const auto input_only = [&](auto& context, auto& a) { return rms_norm(context, a, weight, 1e-5); };
  CHECK(gradcheck(input_only, std::tie(x)).passed);
  const auto weight_only = [&](auto& context, auto& w) { return rms_norm(context, x, w, 1e-5); };
  CHECK(gradcheck(weight_only, std::tie(weight)).passed);
  const auto twice = [](auto& context, auto& a, auto& w) {
    return rms_norm(context, rms_norm(context, a, w, 1e-5), w, 1e-2);
  };
  CHECK(gradcheck(twice, std::tie(x, weight)).passed);
}

TEST_CASE("rms_norm keeps NaN within its row, and squares that overflow make zeros") {
  Tensor<float, Shape<3, 2>> x;
  const float values[] = {not_a_number<float>, 1, 1e30F, 1, 3, 4};
  x.assign(values);
  Tensor<float, Shape<2>> weight;
  weight(0) = weight(1) = 1;
  Inference inference;
  const auto y = rms_norm(inference, x, weight, 0);
  CHECK(std::isnan(y(0, 0)));
  CHECK(std::isnan(y(0, 1)));
  CHECK(y(1, 0) == 0);
  CHECK(y(1, 1) == 0);
  CHECK(y(2, 0) == Approx(3 / std::sqrt(12.5)));
}

TEST_CASE("rms_norm and its gradients have the same bits for any number of threads") {
  auto x = random_tensor<float>(Shape<Dyn, 70>(501), 1);
  auto weight = random_tensor<float>(Shape<70>(), 2);
  const auto seed = random_tensor<float>(Shape<Dyn, 70>(501), 3);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    const auto a = tape.watch(x);
    const auto w = tape.watch(weight);
    const auto y = rms_norm(tape, a, w, 1e-6);
    tape.backward(y, seed.view());
    auto bits = to_vector(y);
    for (const auto& part : {to_vector(tape.gradient(a)), to_vector(tape.gradient(w))}) {
      bits.insert(bits.end(), part.begin(), part.end());
    }
    return bits;
  }));
}

TEST_CASE("rms_norm names both extents when they disagree") {
  const Tensor<float, Shape<Dyn, Dyn>> x(Shape<Dyn, Dyn>(3, 64));
  const Tensor<float, Shape<Dyn>> weight(Shape<Dyn>(32));
  Inference inference;
  CHECK_THROWS_WITH(rms_norm(inference, x, weight, 1e-5),
                    "rms_norm(x, weight): weight must have one value for each feature, the last axis of x, found 64 "
                    "(shape [3, 64]) and 32 (shape [32])");
}
