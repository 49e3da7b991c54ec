// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every operation with Thrust kernels computes, forward and backward, on one device or another. A unit compiled
/// for a GPU does not see the CPU's kernels, so the expected values come from a unit of their own, cpu_results.cpp.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "weft/ops/activation/activation.hpp"
#include "weft/ops/adamw/adamw_kernels.hpp"
#include "weft/ops/add/add.hpp"
#include "weft/ops/cross_entropy/cross_entropy.hpp"
#include "weft/ops/gated_product/gated_product.hpp"
#include "weft/ops/global_norm/global_norm_kernels.hpp"
#include "weft/ops/linear/linear.hpp"
#include "weft/ops/multiply/multiply.hpp"
#include "weft/ops/rms_norm/rms_norm.hpp"
#include "weft/ops/scale/scale.hpp"
#include "weft/ops/softmax/softmax.hpp"
#include "weft/ops/sum/sum.hpp"
#include "weft/tensor/transfer.hpp"

#include "support/random.hpp"

namespace weft::testing {

/// One tensor that an operation gave: its result or the gradient of an argument.
struct OperationResult {
  std::string name;
  Index terms;  ///< how many roundings of the largest magnitude an element may have gathered
  std::vector<double> values;
};

/// Runs operations on a device and gathers what they give.
template <class Device, class T>
class Operations {
 public:
  /// `operation(context, inputs...)` by inference, and twice on one tape, so that its backward both overwrites and adds.
  template <class Operation, class... Inputs>
  void run(const std::string& name, Index terms, Operation&& operation, const Inputs&... inputs) {
    auto arguments = std::make_tuple(to_device<Device>(inputs)...);
    BasicInference<Device> inference;
    const auto inferred = std::apply([&](auto&... x) { return operation(inference, x...); }, arguments);
    keep(name + ", inferred", terms, inferred);

    BasicTape<Device> tape;
    const auto watched = std::apply([&](auto&... x) { return std::make_tuple(tape.watch(x)...); }, arguments);
    const auto once = [&] { return std::apply([&](auto&... x) { return operation(tape, x...); }, watched); };
    const auto first = once();
    const auto both = add(tape, first, once());
    keep(name + ", recorded", terms, first);
    const auto seed = to_device<Device>(random_tensor<T>(both.shape(), 99));
    tape.backward(both, seed.view());
    int position = 0;
    const auto keep_gradient = [&](const auto& x) {
      keep(concat(name, ", gradient ", position++), 2 * terms, tape.gradient(x));
    };
    std::apply([&](const auto&... x) { (keep_gradient(x), ...); }, watched);
  }

  template <class X>
  void keep(const std::string& name, Index terms, const X& x) {
    const auto values = to_host(x);
    results.push_back({name, terms, std::vector<double>(values.data(), values.data() + values.size())});
  }

  std::vector<OperationResult> results;
};

template <class Device, class T>
void run_elementwise(Operations<Device, T>& operations) {
  const auto x = random_tensor<T>(Shape<Dyn, 37>(29), 1, 3);
  const auto y = random_tensor<T>(Shape<29, Dyn>(37), 2, 3);
  operations.run(
      "add", 1, [](auto& c, auto& a, auto& b) { return add(c, a, b); }, x, y);
  operations.run(
      "add of one tensor", 1, [](auto& c, auto& a) { return add(c, a, a); }, x);
  operations.run(
      "multiply", 1, [](auto& c, auto& a, auto& b) { return multiply(c, a, b); }, x, y);
  operations.run(
      "square", 2, [](auto& c, auto& a) { return multiply(c, a, a); }, x);
  operations.run(
      "scale by a number", 1, [](auto& c, auto& a) { return scale(c, a, -1.5); }, x);
  operations.run(
      "scale by a tensor", 29 * 37, [](auto& c, auto& a, auto& f) { return scale(c, a, f); }, x,
      random_tensor<T>(Shape<1>(), 3));
  operations.run(
      "sum", 29 * 37, [](auto& c, auto& a) { return sum(c, a); }, x);
  operations.run(
      "mean", 4, [](auto& c, auto& a) { return mean(c, a); }, x);
  for (Activation activation : {Activation::identity, Activation::silu, Activation::gelu, Activation::gelu_tanh,
                                Activation::relu, Activation::sigmoid, Activation::tanh, Activation::softplus}) {
    const auto number = static_cast<int>(activation);
    operations.run(
        concat("activate ", number), 8, [=](auto& c, auto& a) { return activate(c, a, activation); }, x);
    operations.run(
        concat("gated_product ", number), 16,
        [=](auto& c, auto& a, auto& b) { return gated_product(c, a, b, activation); }, x, y);
  }
}

template <class Device, class T>
void run_linear(Operations<Device, T>& operations) {
  const auto x = random_tensor<T>(Shape<Dyn, 3, 19>(5), 1);
  const auto weight = random_tensor<T>(Shape<23, Dyn>(19), 2);
  const auto bias = random_tensor<T>(Shape<23>(), 3);
  const auto residual = random_tensor<T>(Shape<5, 3, 23>(), 4);
  operations.run(
      "linear", 23, [](auto& c, auto& a, auto& w) { return linear(c, a, w); }, x, weight);
  operations.run(
      "linear with bias and residual", 23,
      [](auto& c, auto& a, auto& w, auto& b, auto& r) { return linear(c, a, w, b, r); }, x, weight, bias, residual);
  if constexpr (std::is_same_v<T, float>) {
    Tensor<bf16, Shape<23, 19>> stored;
    for (Index i = 0; i < stored.size(); ++i) stored.data()[i] = bf16(weight.data()[i]);
    const auto on_device = to_device<Device>(stored);
    operations.run(
        "linear with bf16 weights", 23, [&](auto& c, auto& a) { return linear(c, a, on_device); }, x);
  }
}

template <class Device, class T>
void run_rows(Operations<Device, T>& operations) {
  const auto x = random_tensor<T>(Shape<Dyn, Dyn>(70, 33), 1, 2);
  operations.run(
      "rms_norm", 33, [](auto& c, auto& a, auto& w) { return rms_norm(c, a, w, 1e-6); }, x,
      random_tensor<T>(Shape<33>(), 2));
  operations.run(
      "softmax", 33, [](auto& c, auto& a) { return softmax(c, a); }, x);
  operations.run(
      "log_sum_exp", 33, [](auto& c, auto& a) { return log_sum_exp(c, a); }, x);

  Tensor<std::int32_t, Shape<10, 7>> targets;
  for (Index i = 0; i < 70; ++i) targets.data()[i] = static_cast<std::int32_t>(i % 5 == 0 ? -100 : i * 13 % 33);
  const auto on_device = to_device<Device>(targets);
  const auto logits = random_tensor<T>(Shape<10, Dyn, 33>(7), 3, 2);
  for (const CrossEntropyOptions& options :
       {CrossEntropyOptions{}, CrossEntropyOptions{.shift = true}, CrossEntropyOptions{.normaliser = 50}}) {
    operations.run(
        concat("cross_entropy, shift ", static_cast<int>(options.shift)), 33,
        [&](auto& c, auto& a) { return cross_entropy(c, a, on_device, options); }, logits);
  }
}

template <class Device, class T>
void run_optimizer(Operations<Device, T>& operations) {
  const Shape<Dyn> shape(1000);
  auto value = to_device<Device>(random_tensor<T>(shape, 1));
  Tensor<T, Shape<Dyn>, Device> first(shape);
  Tensor<T, Shape<Dyn>, Device> second(shape);
  for (Index step : {1, 2, 3}) {
    auto gradient = to_device<Device>(random_tensor<T>(shape, 10 + static_cast<std::uint64_t>(step)));
    const double squares = GlobalNormKernels<Device>::sum_of_squares(shape.size(), gradient.data());
    operations.results.push_back({"global norm", shape.size(), {squares}});
    GlobalNormKernels<Device>::scale(shape.size(), 1 / std::sqrt(squares), gradient.data());
    AdamWKernels<Device>::update(AdamWStep{0.1, 0.9, 0.99, 1e-8, 0.1, step}, shape.size(), gradient.data(),
                                 value.data(), first.data(), second.data());
    operations.keep("clipped gradient", 1, gradient);
    operations.keep("adamw, value", 8, value);
    operations.keep("adamw, first moment", 4, first);
    operations.keep("adamw, second moment", 4, second);
  }
}

/// Everything that operations with Thrust kernels give on a device.
template <class Device, class T>
std::vector<OperationResult> operation_results() {
  Operations<Device, T> operations;
  run_elementwise(operations);
  run_linear(operations);
  run_rows(operations);
  run_optimizer(operations);
  return operations.results;
}

/// The same by the CPU's kernels, for float and double.
template <class T>
std::vector<OperationResult> cpu_operation_results();

}  // namespace weft::testing
