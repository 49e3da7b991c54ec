// SPDX-License-Identifier: Apache-2.0
/// \file
/// The two small feed-forward blocks of the reference: one and two linear maps, without a gate.
#pragma once

#include "weft/layers/linear.hpp"
#include "weft/ops/activation/activation.hpp"
#include "weft/ops/add/add.hpp"

namespace weft {

/// act(proj x): the activation comes last (LlamaSimpleMLP, `linear_MLP`). Parameter: `proj` [hidden, hidden], bias iff
/// `mlp_bias`.
template <auto HiddenSize, class T = float, class DeviceType = Cpu>
class LlamaSimpleMLP {
 public:
  Linear<HiddenSize, HiddenSize, T, DeviceType> proj;

  explicit LlamaSimpleMLP(Activation activation = Activation::silu, bool bias = false, Index hidden_size = 0)
      : proj(bias, hidden_size, hidden_size), activation_(activation) {}

  /// \param x         [..., hidden]
  /// \param residual  [..., hidden], added to the result, or `none`
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const Residual& residual = none) const {
    const auto y = activate(context, proj(context, x), activation_);
    if constexpr (std::is_same_v<Residual, None>) {
      return y;
    } else {
      return add(context, y, residual);
    }
  }

  void initialize(Rng& rng, double standard_deviation) { proj.initialize(rng, standard_deviation); }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.proj, visit, prefix + "proj.");
  }

 private:
  Activation activation_;
};

/// proj_out(act(proj x)) (ShallowLlamaMLP, `shallow_MLP`). Parameters: `proj` [intermediate, hidden], `proj_out`
/// [hidden, intermediate], biases iff `mlp_bias`.
template <auto HiddenSize, auto IntermediateSize, class T = float, class DeviceType = Cpu>
class ShallowLlamaMLP {
 public:
  Linear<HiddenSize, IntermediateSize, T, DeviceType> proj;
  Linear<IntermediateSize, HiddenSize, T, DeviceType> proj_out;

  explicit ShallowLlamaMLP(Activation activation = Activation::silu, bool bias = false, Index hidden_size = 0,
                           Index intermediate_size = 0)
      : proj(bias, hidden_size, intermediate_size),
        proj_out(bias, intermediate_size, hidden_size),
        activation_(activation) {}

  /// \param x         [..., hidden]
  /// \param residual  [..., hidden], added to the result, or `none`
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const Residual& residual = none) const {
    return proj_out(context, activate(context, proj(context, x), activation_), residual);
  }

  void initialize(Rng& rng, double standard_deviation) {
    proj.initialize(rng, standard_deviation);
    proj_out.initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.proj, visit, prefix + "proj.");
    for_each_parameter(self.proj_out, visit, prefix + "proj_out.");
  }

 private:
  Activation activation_;
};

}  // namespace weft
