// SPDX-License-Identifier: Apache-2.0
/// \file
/// A two-layer perceptron and its training, on any device. Like operation_results.hpp, with the CPU's in cpu_results.cpp.
#pragma once

#include <vector>

#include "weft/layers/linear.hpp"
#include "weft/ops/activation/activation.hpp"
#include "weft/ops/cross_entropy/cross_entropy.hpp"
#include "weft/tensor/transfer.hpp"
#include "weft/train/adamw.hpp"
#include "weft/train/clip_gradient_norm.hpp"

#include "support/random.hpp"

namespace weft::testing {

/// Logits of 4 classes for points with 8 coordinates.
template <class DeviceType>
struct Perceptron {
  using Element = float;
  using Device = DeviceType;

  Linear<8, 32, float, Device> hidden{true};
  Linear<32, 4, float, Device> output{true};

  explicit Perceptron(Rng rng) {
    hidden.initialize(rng, 0.35);
    output.initialize(rng, 0.2);
  }

  template <class Context, class X>
  auto operator()(Context& context, const X& x) const {
    return output(context, relu(context, hidden(context, x)));
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    decltype(hidden)::visit_parameters(self.hidden, visit, prefix + "hidden.");
    decltype(output)::visit_parameters(self.output, visit, prefix + "output.");
  }
};

/// The class of a point: which of its first four coordinates exceeds the one four places on the most.
template <class Points>
auto classes_of(const Points& points) {
  Tensor<std::int32_t, Shape<Dyn>> classes(Shape<Dyn>(points.extent(0)));
  for (Index i = 0; i < points.extent(0); ++i) {
    for (Index k = 1; k < 4; ++k) {
      const auto margin = [&](Index place) { return points(i, place) - points(i, place + 4); };
      if (margin(k) > margin(classes(i))) classes(i) = static_cast<std::int32_t>(k);
    }
  }
  return classes;
}

/// A perceptron, what it learns from and its optimiser.
template <class Device>
class PerceptronTraining {
 public:
  PerceptronTraining() {
    const auto points = random_tensor<float>(Shape<Dyn, 8>(64), 5);
    points_ = to_device<Device>(points);
    classes_ = to_device<Device>(classes_of(points));
  }
  PerceptronTraining(const PerceptronTraining&) = delete;
  PerceptronTraining& operator=(const PerceptronTraining&) = delete;

  /// One step of AdamW with clipped gradients; the loss before it.
  double step() {
    tape_.reset();
    const auto loss = cross_entropy(tape_, model_(tape_, points_), classes_);
    parameters_.clear_gradients();
    tape_.backward(loss);
    clip_gradient_norm(parameters_, 1.0);
    optimizer_.step(0.02);
    return number(loss);
  }

  /// The loss by inference.
  double loss() {
    inference_.reset();
    return number(cross_entropy(inference_, model_(inference_, points_), classes_));
  }

 private:
  template <class Scalar>
  static double number(const Scalar& scalar) {
    float value;
    Device::copy_to_host(&value, scalar.data(), sizeof value);
    return value;
  }

  Perceptron<Device> model_{Rng(3)};
  ParameterList<float, Device> parameters_{model_};
  AdamW<float, Device> optimizer_{parameters_, {.weight_decay = 0.1}};
  Tensor<float, Shape<Dyn, 8>, Device> points_;
  Tensor<std::int32_t, Shape<Dyn>, Device> classes_;
  BasicTape<Device> tape_;
  BasicInference<Device> inference_;
};

/// The losses of 50 steps, and the loss after them.
template <class Device>
std::vector<double> train_perceptron() {
  PerceptronTraining<Device> training;
  std::vector<double> losses;
  for (int step = 0; step < 50; ++step) losses.push_back(training.step());
  losses.push_back(training.loss());
  return losses;
}

/// The same by the CPU's kernels.
std::vector<double> cpu_perceptron_losses();

/// How far losses may be from the CPU's: sums are added in another order, and fifty steps carry that on.
inline constexpr double kPerceptronTolerance = 1e-4;

}  // namespace weft::testing
