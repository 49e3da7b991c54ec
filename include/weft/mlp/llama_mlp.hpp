// SPDX-License-Identifier: Apache-2.0
/// \file
/// The gated feed-forward block of Llama.
#pragma once

#include "weft/layers/linear.hpp"
#include "weft/ops/gated_product/gated_product.hpp"

namespace weft {

/// down_proj(act(gate_proj x) * up_proj x), the SwiGLU block with act = silu (LlamaMLP; Shazeer, arXiv 2002.05202).
/// Parameters: `gate_proj`, `up_proj` [intermediate, hidden], `down_proj` [hidden, intermediate], biases iff `mlp_bias`.
template <auto HiddenSize, auto IntermediateSize, class T = float, class DeviceType = Cpu>
class LlamaMLP {
 public:
  Linear<HiddenSize, IntermediateSize, T, DeviceType> gate_proj;
  Linear<HiddenSize, IntermediateSize, T, DeviceType> up_proj;
  Linear<IntermediateSize, HiddenSize, T, DeviceType> down_proj;

  explicit LlamaMLP(Activation activation = Activation::silu, bool bias = false, Index hidden_size = 0,
                    Index intermediate_size = 0)
      : gate_proj(bias, hidden_size, intermediate_size),
        up_proj(bias, hidden_size, intermediate_size),
        down_proj(bias, intermediate_size, hidden_size),
        activation_(activation) {}

  /// \param x         [..., hidden]
  /// \param residual  [..., hidden], added to the result, or `none`
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const Residual& residual = none) const {
    const auto gate = gate_proj(context, x);
    const auto up = up_proj(context, x);
    return down_proj(context, gated_product(context, gate, up, activation_), residual);
  }

  void initialize(Rng& rng, double standard_deviation) {
    gate_proj.initialize(rng, standard_deviation);
    up_proj.initialize(rng, standard_deviation);
    down_proj.initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.gate_proj, visit, prefix + "gate_proj.");
    for_each_parameter(self.up_proj, visit, prefix + "up_proj.");
    for_each_parameter(self.down_proj, visit, prefix + "down_proj.");
  }

 private:
  Activation activation_;
};

}  // namespace weft
