// SPDX-License-Identifier: Apache-2.0
/// \file
/// One step of a graph isomorphism network on a dense adjacency.
#pragma once

#include <span>

#include "weft/layers/initialize.hpp"
#include "weft/ops/batched_matmul/batched_matmul.hpp"
#include "weft/ops/gin/gin.hpp"

namespace weft {

/// y = W₄ silu(RMSNorm(dropout(W₀ z + b₀))) + b₄ with z = ε x + A x (GINLayer; Xu et al., arXiv 1810.00826). The
/// reference has ε, not 1 + ε: quirk G1. Parameters: `epsilon` [], `normlayer.weight` [hidden] (also called
/// `mlp.2.weight`), `mlp.0.{weight [hidden, input], bias}`, `mlp.4.{weight [input, hidden], bias}`.
template <auto InputDim, auto HiddenDim, class T = float, class DeviceType = Cpu>
class GINLayer {
 public:
  Parameter<T, Shape<>, DeviceType> epsilon;
  Parameter<T, Shape<HiddenDim>, DeviceType> normlayer_weight;
  Parameter<T, Shape<HiddenDim, InputDim>, DeviceType> mlp0_weight;
  Parameter<T, Shape<HiddenDim>, DeviceType> mlp0_bias;
  Parameter<T, Shape<InputDim, HiddenDim>, DeviceType> mlp4_weight;
  Parameter<T, Shape<InputDim>, DeviceType> mlp4_bias;

  /// \param initial_epsilon  what `epsilon` starts from
  explicit GINLayer(GINUpdateOptions options = {}, Index input_dim = 0, Index hidden_dim = 0,
                    double initial_epsilon = 0)
      : options_(options) {
    const Index in = resolve_extent<InputDim>(input_dim, "GINLayer: input_dim");
    const Index hidden = resolve_extent<HiddenDim>(hidden_dim, "GINLayer: hidden_dim");
    epsilon = Parameter<T, Shape<>, DeviceType>(Shape<>());
    normlayer_weight = Parameter<T, Shape<HiddenDim>, DeviceType>(Shape<HiddenDim>::from({hidden}));
    mlp0_weight = Parameter<T, Shape<HiddenDim, InputDim>, DeviceType>(Shape<HiddenDim, InputDim>::from({hidden, in}));
    mlp0_bias = Parameter<T, Shape<HiddenDim>, DeviceType>(Shape<HiddenDim>::from({hidden}));
    mlp4_weight = Parameter<T, Shape<InputDim, HiddenDim>, DeviceType>(Shape<InputDim, HiddenDim>::from({in, hidden}));
    mlp4_bias = Parameter<T, Shape<InputDim>, DeviceType>(Shape<InputDim>::from({in}));
    fill_constant(epsilon, static_cast<T>(initial_epsilon));
    fill_constant(normlayer_weight, T{1});
  }

  /// \param x          [batch, tokens, input]
  /// \param adjacency  [batch, tokens, tokens]; row = receiving token
  template <class Context, class X, class Adjacency>
  auto operator()(Context& context, const X& x, const Adjacency& adjacency) const {
    WEFT_EXPECT_SAME_EXTENT(x.shape(), -1, mlp4_bias.shape(), 0, "GINLayer: x must have input_dim features");
    return gin_update(context, x, batched_matmul(context, adjacency, x), std::span<const GINLayer>(this, 1), options_);
  }

  void initialize(Rng& rng, double standard_deviation) {
    fill_normal(mlp0_weight, rng, standard_deviation);
    fill_constant(mlp0_bias, T{0});
    fill_normal(mlp4_weight, rng, standard_deviation);
    fill_constant(mlp4_bias, T{0});
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName(prefix + "epsilon"), self.epsilon);
    visit(ParameterName::of_norm(prefix + "normlayer.weight", prefix + "mlp.2.weight"), self.normlayer_weight);
    visit(ParameterName(prefix + "mlp.0.weight"), self.mlp0_weight);
    visit(ParameterName(prefix + "mlp.0.bias"), self.mlp0_bias);
    visit(ParameterName(prefix + "mlp.4.weight"), self.mlp4_weight);
    visit(ParameterName(prefix + "mlp.4.bias"), self.mlp4_bias);
  }

 private:
  GINUpdateOptions options_;
};

}  // namespace weft
