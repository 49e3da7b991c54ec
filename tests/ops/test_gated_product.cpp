// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/ops/gated_product/gated_product.hpp"
#include "weft/ops/gated_product/gated_product_naive.hpp"

#include "ops/op_checks.hpp"
#include "ops/row_checks.hpp"
#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

constexpr Activation kAll[] = {Activation::identity, Activation::silu,    Activation::gelu, Activation::gelu_tanh,
                               Activation::relu,     Activation::sigmoid, Activation::tanh, Activation::softplus};

/// Each function is a handful of roundings of numbers up to |x| or 1; the error function of xsimd in double has more.
template <class T>
double bound(Activation activation) {
  return activation == Activation::gelu && std::is_same_v<T, double> ? 20 : 6;
}

}  // namespace

TEMPLATE_TEST_CASE("gated_product agrees with the naive form for every awkward size", "", float, double) {
  using T = TestType;
  using Kernels = GatedProductKernels<Cpu>;
  for (const Activation activation : kAll) {
    for (const Index count : kAwkwardSizes) {
      for (const Index shift : {0, 1}) {
        const auto gate = random_guarded<T>(count, 1, shift, 3);
        const auto up = random_guarded<T>(count, 2, 2 * shift);
        const auto dy = random_guarded<T>(count, 3, 3 * shift);
        Guarded<T> y(count, shift), dgate(count, shift), dup(count, 2 * shift);
        Kernels::forward(activation, count, gate.data(), up.data(), y.data());
        Kernels::backward(activation, count, gate.data(), up.data(), dy.data(), GradientTarget<T>{dgate.data(), false},
                          GradientTarget<T>{dup.data(), false});
        const auto size = static_cast<std::size_t>(count);
        std::vector<Wide<T>> y_expected(size), dgate_expected(size), dup_expected(size);
        const auto gates = widened(gate), ups = widened(up), dys = widened(dy);
        kernels::gated_product_naive(activation, count, gates.data(), ups.data(), y_expected.data());
        kernels::gated_product_backward_naive(activation, count, gates.data(), ups.data(), dys.data(),
                                              dgate_expected.data(), dup_expected.data());
        const auto reach = [&](Index i) { return 1 + std::abs(gate[i]); };
        CHECK(largest_error(y, y_expected, [&](Index i) { return reach(i) * std::abs(up[i]); }) < bound<T>(activation));
        CHECK(largest_error(dgate, dgate_expected, [&](Index i) { return reach(i) * std::abs(up[i] * dy[i]); }) <
              bound<T>(activation));
        CHECK(largest_error(dup, dup_expected, [&](Index i) { return reach(i) * std::abs(dy[i]); }) <
              bound<T>(activation));
        CHECK((y.intact() && dgate.intact() && dup.intact()));
      }
    }
  }
}

TEST_CASE("gated_product's derivatives agree with finite differences") {
  auto gate = random_tensor<double>(Shape<Dyn, 5>(3), 1, 2);
  auto up = random_tensor<double>(Shape<3, Dyn>(5), 2);
  for (const Activation activation : kAll) {
    const auto apply = [&](auto& context, auto& g, auto& u) { return gated_product(context, g, u, activation); };
    CHECK(gradcheck(apply, std::tie(gate, up)).message == "gradcheck: 30 derivatives agree");
    const auto of_itself = [&](auto& context, auto& g) { return gated_product(context, g, g, activation); };
    CHECK(gradcheck(of_itself, std::tie(gate)).passed);
    const auto one_side = [&](auto& context, auto& g) { return gated_product(context, g, up, activation); };
    CHECK(gradcheck(one_side, std::tie(gate)).passed);
    const auto other_side = [&](auto& context, auto& u) { return gated_product(context, gate, u, activation); };
    CHECK(gradcheck(other_side, std::tie(up)).passed);
  }
}

TEST_CASE("gated_product uses SiLU unless told otherwise and merges known extents") {
  const auto gate = random_tensor<float>(Shape<Dyn, 5>(3), 1);
  const auto up = random_tensor<float>(Shape<3, Dyn>(5), 2);
  Inference inference;
  const auto y = gated_product(inference, gate, up);
  static_assert(std::is_same_v<ShapeOf<decltype(y)>, Shape<3, 5>>);
  CHECK(to_vector(y) == to_vector(gated_product(inference, gate, up, Activation::silu)));
}

TEST_CASE("gated_product passes NaN and infinities on as the activation does") {
  const float gates[] = {not_a_number<float>, -infinity<float>, infinity<float>, -1e38F};
  const float ups[] = {1, 1, 2, 3};
  float y[4];
  GatedProductKernels<Cpu>::forward(Activation::silu, 4, gates, ups, y);
  CHECK(std::isnan(y[0]));
  CHECK(std::isnan(y[1]));
  CHECK(y[2] == infinity<float>);
  CHECK(y[3] == 0);
}

TEST_CASE("gated_product gives the same bits for any number of threads") {
  auto gate = random_tensor<float>(Shape<Dyn>(70003), 5, 3);
  auto up = random_tensor<float>(Shape<Dyn>(70003), 6);
  for (const Activation activation : {Activation::silu, Activation::gelu}) {
    CHECK(same_bits_for_any_thread_count([&] {
      Tape tape;
      const auto g = tape.watch(gate);
      const auto u = tape.watch(up);
      const auto y = gated_product(tape, g, u, activation);
      tape.backward(y, TensorView<const float, Shape<Dyn>>(up.data(), up.shape()));
      auto bits = to_vector(y);
      for (const auto& part : {to_vector(tape.gradient(g)), to_vector(tape.gradient(u))}) {
        bits.insert(bits.end(), part.begin(), part.end());
      }
      return bits;
    }));
  }
}

TEST_CASE("gated_product names both shapes when they disagree") {
  const Tensor<float, Shape<Dyn, Dyn>> gate(Shape<Dyn, Dyn>(3, 64));
  const Tensor<float, Shape<Dyn, Dyn>> up(Shape<Dyn, Dyn>(3, 32));
  Inference inference;
  CHECK_THROWS_WITH(gated_product(inference, gate, up),
                    "gated_product(gate, up): gate and up must have the same shape, found [3, 64] and [3, 32]");
}
