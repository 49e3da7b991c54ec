// SPDX-License-Identifier: Apache-2.0
/// \file
/// Adam with decoupled weight decay.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/ops/adamw/adamw_kernels.hpp"
#include "weft/train/parameter_list.hpp"

namespace weft {

/// Decay of the two moments, and of the weights for each unit of learning rate; the defaults are torch.optim.AdamW's.
struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  bool decay_everything = false;  ///< also norms and biases, as torch.optim.AdamW does without parameter groups
};

/// What the optimiser remembers of one parameter. Moments are null for one that was frozen when it was made.
template <class T>
struct AdamWState {
  T* first_moment = nullptr;
  T* second_moment = nullptr;
  Index steps = 0;  ///< updates of this parameter so far
};

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101; torch.optim.AdamW): with the gradient g, update number t, rate η
///
///     w -= η λ w;   m = β₁ m + (1 - β₁) g;   v = β₂ v + (1 - β₂) g²
///     w -= η m / (1 - β₁ᵗ) / (sqrt(v / (1 - β₂ᵗ)) + ε)
///
/// λ is `weight_decay`, or 0 for a parameter that is not `decayed()` unless everything is. A parameter without a
/// gradient is left alone, decay included, and its t does not count.
///
///     weft::ParameterList parameters(model);
///     weft::AdamW optimizer(parameters, {.weight_decay = 0.1});
template <class T, class DeviceType = Cpu>
class AdamW {
 public:
  /// Makes both moments, zeros, of every parameter that is trainable now. Raises Error for a beta outside [0, 1), a
  /// negative epsilon or a negative decay.
  explicit AdamW(ParameterList<T, DeviceType> parameters, const AdamWOptions& options = {})
      : parameters_(std::move(parameters)), options_(options), states_(parameters_.size()) {
    expect_valid_options();
    Index elements = 0;
    for (const auto& parameter : parameters_) {
      if (parameter.trainable()) elements += 2 * padded(parameter.size());
    }
    memory_ = Tensor<T, Shape<Dyn>, DeviceType>(Shape<Dyn>(elements));
    T* next = memory_.data();
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (!parameters_[i].trainable()) continue;
      const Index room = padded(parameters_[i].size());
      states_[i] = {next, next + room, 0};
      next += 2 * room;
    }
  }

  /// Changes every parameter that has a gradient.
  void step(double learning_rate) {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      const auto& parameter = parameters_[i];
      const T* gradient = parameter.gradient();
      if (gradient == nullptr) continue;
      AdamWState<T>& state = states_[i];
      if (state.first_moment == nullptr) {
        fail(concat("AdamW: parameter ", parameter.name(), " was frozen when the optimiser was made; make a new one"));
      }
      ++state.steps;
      const bool decayed = parameter.decayed() || options_.decay_everything;
      const double decay = decayed ? options_.weight_decay : 0;
      AdamWKernels<DeviceType>::update(
          AdamWStep{learning_rate, options_.beta1, options_.beta2, options_.epsilon, decay, state.steps},
          parameter.size(), gradient, parameter.data(), state.first_moment, state.second_moment);
    }
  }

  const ParameterList<T, DeviceType>& parameters() const { return parameters_; }
  const AdamWOptions& options() const { return options_; }

  /// One for each parameter, in the order of `parameters()`: to save and restore.
  std::span<AdamWState<T>> states() { return states_; }
  std::span<const AdamWState<T>> states() const { return states_; }

  /// Bytes of the moments.
  std::size_t bytes() const { return static_cast<std::size_t>(memory_.size()) * sizeof(T); }

 private:
  /// Every moment starts at a multiple of kAlignment.
  static Index padded(Index size) {
    return static_cast<Index>(align_up(static_cast<std::size_t>(size) * sizeof(T)) / sizeof(T));
  }

  void expect_valid_options() const {
    const auto expect = [](bool holds, std::string_view rule, double found) {
      if (!holds) fail(concat("AdamWOptions: ", rule, ", found ", found));
    };
    expect(options_.beta1 >= 0 && options_.beta1 < 1, "beta1 must be in [0, 1)", options_.beta1);
    expect(options_.beta2 >= 0 && options_.beta2 < 1, "beta2 must be in [0, 1)", options_.beta2);
    expect(options_.epsilon >= 0, "epsilon must not be negative", options_.epsilon);
    expect(options_.weight_decay >= 0, "weight_decay must not be negative", options_.weight_decay);
  }

  ParameterList<T, DeviceType> parameters_;
  AdamWOptions options_;
  std::vector<AdamWState<T>> states_;
  Tensor<T, Shape<Dyn>, DeviceType> memory_;
};

}  // namespace weft
