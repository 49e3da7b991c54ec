// SPDX-License-Identifier: Apache-2.0
#include "weft/layers/linear.hpp"

#include "support/layer_checks.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

/// A linear layer with an adapter, every value of which is random.
template <class LinearType, class T>
LinearType adapted(LinearType linear, const LoraAdapterOptions& options) {
  linear.lora.adapter = std::make_unique<LoraAdapter<T>>(linear.weight.extent(1), linear.weight.extent(0), options);
  randomize_parameters(linear, 3);
  return linear;
}

}  // namespace

TEMPLATE_TEST_CASE("the derivatives of a linear layer with an adapter are those of finite differences", "",
                   (Linear<5, 7, double>), (Linear<Dyn, Dyn, double>)) {
  const LoraAdapterOptions options = GENERATE(LoraAdapterOptions{.r = 1}, LoraAdapterOptions{.r = 3, .lora_alpha = 5},
                                              LoraAdapterOptions{.r = 9, .use_rslora = true});
  const auto linear = adapted<TestType, double>(TestType(true, 5, 7), options);
  auto x = random_tensor<double>(Shape<Dyn, 3, Dyn>(2, 5), 1);
  auto residual = random_tensor<double>(Shape<Dyn, 3, Dyn>(2, 7), 2);
  const auto result =
      gradcheck([&](auto& context, const auto& in, const auto& rest) { return linear(context, in, rest); },
                std::tie(x, residual), const_cast<TestType&>(linear));
  INFO(result.message);
  CHECK(result.passed);
}

TEST_CASE("an adapter adds s B A x, whatever the layer adds beside it") {
  const auto linear = adapted<Linear<4, 3, double>, double>(Linear<4, 3, double>(true), {.r = 2, .lora_alpha = 3});
  const auto x = random_tensor<double>(Shape<2, 4>(), 1);
  const auto residual = random_tensor<double>(Shape<2, 3>(), 2);
  Inference inference;
  const auto y = linear(inference, x, residual);
  const auto& [a, b] = std::pair(linear.lora.adapter->lora_A.data(), linear.lora.adapter->lora_B.data());
  for (Index row = 0; row < 2; ++row) {
    for (Index o = 0; o < 3; ++o) {
      double sum = residual.data()[row * 3 + o] + linear.bias->data()[o];
      for (Index i = 0; i < 4; ++i) {
        double weight = linear.weight.data()[o * 4 + i];
        for (Index k = 0; k < 2; ++k) weight += 1.5 * b[o * 2 + k] * a[k * 4 + i];
        sum += weight * x.data()[row * 4 + i];
      }
      CHECK(y.data()[row * 3 + o] == Approx(sum));
    }
  }
}

TEST_CASE("an adapter keeps the promises of a layer, with dropout too") {
  for (const double dropout : {0.0, 0.4}) {
    auto linear = adapted<Linear<13, 7>, float>(Linear<13, 7>(), {.r = 3, .lora_dropout = dropout});
    auto x = random_tensor<float>(Shape<Dyn, 13>(11), 1);
    check_promises([&](auto& context, const auto& in) { return linear(context, in); }, linear, x);
  }
}

TEST_CASE("dropout is of the adapter's input alone, and in training alone") {
  auto linear = adapted<Linear<6, 5>, float>(Linear<6, 5>(), {.r = 2, .lora_dropout = 0.5});
  const auto x = random_tensor<float>(Shape<64, 6>(), 1);
  Inference inference;
  const auto plain = linear(inference, x);
  Tape tape;
  const auto silent = linear(tape, x);
  CHECK(std::equal(plain.data(), plain.data() + plain.size(), silent.data()));
  tape.enable_dropout(Rng(1));
  const auto dropped = linear(tape, x);
  CHECK_FALSE(std::equal(plain.data(), plain.data() + plain.size(), dropped.data()));
  fill_constant(linear.lora.adapter->lora_B, 0.0F);
  const auto without = linear(tape, x);
  const auto base = linear(inference, x);
  CHECK(std::equal(base.data(), base.data() + base.size(), without.data()));
}

TEST_CASE("a frozen weight under an adapter takes no gradient memory") {
  auto linear = adapted<Linear<6, 5>, float>(Linear<6, 5>(true), {.r = 2});
  linear.weight.set_trainable(false);
  linear.bias->set_trainable(false);
  const auto x = random_tensor<float>(Shape<3, 6>(), 1);
  Tape tape;
  const auto y = linear(tape, x);
  const auto seed = random_tensor<float>(Shape<3, 5>(), 2);
  tape.backward(y, seed.view());
  CHECK(linear.weight.gradient_slot() == nullptr);
  CHECK_FALSE(linear.weight.has_gradient());
  CHECK(linear.lora.adapter->lora_A.has_gradient());
  CHECK(linear.lora.adapter->lora_B.has_gradient());
}

TEST_CASE("options of an adapter that make no sense are refused") {
  const auto message = [](const LoraAdapterOptions& options) {
    try {
      const LoraAdapter<float> adapter(4, 4, options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  CHECK(message({.r = 0}) == "LoRA: r must be at least 1, found 0");
  CHECK(message({.lora_alpha = INFINITY}) == "LoRA: lora_alpha must be a finite number");
  CHECK(message({.lora_dropout = 1}) == "LoRA: lora_dropout must be in [0, 1), found 1");
}
