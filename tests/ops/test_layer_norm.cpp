// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/layer_norm/layer_norm.hpp"
#include "weft/ops/layer_norm/layer_norm_naive.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

template <class Values>
double largest(const Values& values) {
  double size = 0;
  for (const auto value : values) size = std::max(size, static_cast<double>(std::abs(value)));
  return size;
}

}  // namespace

TEMPLATE_TEST_CASE("layer_norm agrees with the naive form for every awkward number of features", "", float, double) {
  using T = TestType;
  using Kernels = LayerNormKernels<Cpu>;
  for (const Index features : kAwkwardSizes) {
    for (const Index rows : {0, 1, 3, 40}) {
      const Index count = rows * features;
      const LayerNormSize<T> size{rows, features, T(1e-5)};
      const LayerNormSize<Wide<T>> wide{rows, features, Wide<T>(size.eps)};
      auto x = random_guarded<T>(count, 1, 1);
      // Nearly equal values, which short rows of random ones have, have no accurate deviation.
      for (Index i = 0; i < count && features <= 3; ++i) x[i] = static_cast<T>(i % features) + x[i] / 8;
      const auto weight = random_guarded<T>(features, 2, 3);
      const auto bias = random_guarded<T>(features, 4, 2);
      const auto dy = random_guarded<T>(count, 3, 2);
      Guarded<T> y(count, 1), dx(count, 3), dweight(features, 1), dbias(features, 2);
      Kernels::forward(size, x.data(), weight.data(), bias.data(), y.data());
      Kernels::backward(size, x.data(), weight.data(), dy.data(), GradientTarget<T>{dx.data(), false},
                        GradientTarget<T>{dweight.data(), false}, GradientTarget<T>{dbias.data(), false});
      const auto xs = widened(x), weights = widened(weight), biases = widened(bias), dys = widened(dy);
      std::vector<Wide<T>> y_expected(xs.size()), dx_expected(xs.size()), dweight_expected(weights.size()),
          dbias_expected(weights.size());
      kernels::layer_norm_naive(wide, xs.data(), weights.data(), biases.data(), y_expected.data());
      kernels::layer_norm_backward_naive(wide, xs.data(), weights.data(), dys.data(), dx_expected.data(),
                                         dweight_expected.data(), dbias_expected.data());
      // Normalised values are below sqrt(features). Derivatives are differences of terms of size weight dy, times s.
      const double reach = 8 * std::sqrt(static_cast<double>(features) + 1);
      double slopes = 0;
      for (Index row = 0; row < rows && features > 0; ++row) {
        const auto s = kernels::row_statistics_naive(wide, xs.data() + row * features).inverse_deviation;
        slopes = std::max(slopes, static_cast<double>(s) * largest(weights) * largest(dys));
      }
      CHECK(largest_error(y, y_expected, [&](Index) { return reach; }) < 4);
      CHECK(largest_error(dx, dx_expected, [&](Index) { return reach * slopes; }) < 2);
      CHECK(largest_error(dweight, dweight_expected, [&](Index) { return double(rows + 1) * reach; }) < 4);
      CHECK(largest_error(dbias, dbias_expected, [&](Index) { return double(rows + 1) * 4; }) < 4);
      CHECK((y.intact() && dx.intact() && dweight.intact() && dbias.intact()));
    }
  }
}

TEST_CASE("layer_norm's derivatives agree with finite differences, wherever gradients are wanted") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn, 7>(2, 3), 1);
  auto weight = random_tensor<double>(Shape<7>(), 2);
  auto bias = random_tensor<double>(Shape<Dyn>(7), 3);
  const auto apply = [](auto& context, auto& a, auto& w, auto& b) { return layer_norm(context, a, w, b, 1e-5); };
  CHECK(gradcheck(apply, std::tie(x, weight, bias)).message == "gradcheck: 56 derivatives agree");
  const auto input_only = [&](auto& context, auto& a) { return layer_norm(context, a, weight, bias, 1e-5); };
  CHECK(gradcheck(input_only, std::tie(x)).passed);
  const auto bias_only = [&](auto& context, auto& b) { return layer_norm(context, x, weight, b, 1e-5); };
  CHECK(gradcheck(bias_only, std::tie(bias)).passed);
  const auto twice = [](auto& context, auto& a, auto& w, auto& b) {
    return layer_norm(context, layer_norm(context, a, w, b, 1e-5), w, b, 1e-2);
  };
  CHECK(gradcheck(twice, std::tie(x, weight, bias)).passed);
}

TEST_CASE("layer_norm keeps NaN and infinities within their row") {
  Tensor<float, Shape<3, 2>> x;
  const float values[] = {not_a_number<float>, 1, infinity<float>, 1, 3, 5};
  x.assign(values);
  Tensor<float, Shape<2>> weight, bias;
  weight(0) = weight(1) = 1;
  Inference inference;
  const auto y = layer_norm(inference, x, weight, bias, 0);
  for (Index i = 0; i < 2; ++i) CHECK((std::isnan(y(0, i)) && std::isnan(y(1, i))));
  CHECK(y(2, 0) == Approx(-1));
  CHECK(y(2, 1) == Approx(1));
}

TEST_CASE("layer_norm and its gradients have the same bits for any number of threads") {
  auto x = random_tensor<float>(Shape<Dyn, 70>(501), 1);
  auto weight = random_tensor<float>(Shape<70>(), 2);
  auto bias = random_tensor<float>(Shape<70>(), 4);
  const auto seed = random_tensor<float>(Shape<Dyn, 70>(501), 3);
  CHECK(same_bits_for_any_thread_count([&] {
    Tape tape;
    const auto a = tape.watch(x);
    const auto w = tape.watch(weight);
    const auto b = tape.watch(bias);
    const auto y = layer_norm(tape, a, w, b, 1e-6);
    tape.backward(y, seed.view());
    auto bits = to_vector(y);
    for (const auto& part : {to_vector(tape.gradient(a)), to_vector(tape.gradient(w)), to_vector(tape.gradient(b))}) {
      bits.insert(bits.end(), part.begin(), part.end());
    }
    return bits;
  }));
}

TEST_CASE("layer_norm names both extents when they disagree") {
  const Tensor<float, Shape<Dyn, Dyn>> x(Shape<Dyn, Dyn>(3, 64));
  const Tensor<float, Shape<Dyn>> weight(Shape<Dyn>(64));
  const Tensor<float, Shape<Dyn>> bias(Shape<Dyn>(32));
  Inference inference;
  CHECK_THROWS_WITH(layer_norm(inference, x, weight, bias, 1e-5),
                    "layer_norm(x, weight, bias): bias must have one value for each feature, the last axis of x, found "
                    "64 (shape [3, 64]) and 32 (shape [32])");
}
