// SPDX-License-Identifier: Apache-2.0
/// \file
/// A learned map from the attention weights of all heads to one adjacency.
#pragma once

#include "weft/layers/initialize.hpp"
#include "weft/ops/activation/activation.hpp"
#include "weft/ops/adjacency_mlp/adjacency_mlp.hpp"
#include "weft/ops/softmax/softmax.hpp"

namespace weft {

/// z_ij = W3 dropout(relu(W0 a_ij + b0)) + b3 with a_ij the attention weights of all heads from i to j; then sigmoid(z),
/// or the softmax over j, in which masked pairs take part with their a = 0 (AggregatedLearnableAdjacencyTransformer). The
/// dropout of 0.1 is the reference's, no setting changes it. The hidden units are never stored. Parameters:
/// `mlp.0.{weight [hidden, heads], bias [hidden]}`, `mlp.3.{weight [1, hidden], bias [1]}`.
template <auto Heads, auto HiddenDim = Dyn, class T = float, class DeviceType = Cpu>
class AggregatedLearnableAdjacencyTransformer {
 public:
  Parameter<T, Shape<HiddenDim, Heads>, DeviceType> mlp0_weight;
  Parameter<T, Shape<HiddenDim>, DeviceType> mlp0_bias;
  Parameter<T, Shape<1, HiddenDim>, DeviceType> mlp3_weight;
  Parameter<T, Shape<1>, DeviceType> mlp3_bias;

  /// \param softmax  over the keys; false: the sigmoid of each pair
  explicit AggregatedLearnableAdjacencyTransformer(bool softmax = false, Index heads = 0, Index hidden_dim = 0)
      : mlp3_bias(Shape<1>()), softmax_(softmax) {
    const Index h = resolve_extent<Heads>(heads, "AggregatedLearnableAdjacencyTransformer: heads");
    const Index hidden = resolve_extent<HiddenDim>(hidden_dim, "AggregatedLearnableAdjacencyTransformer: hidden_dim");
    mlp0_weight = Parameter<T, Shape<HiddenDim, Heads>, DeviceType>(Shape<HiddenDim, Heads>::from({hidden, h}));
    mlp0_bias = Parameter<T, Shape<HiddenDim>, DeviceType>(Shape<HiddenDim>::from({hidden}));
    mlp3_weight = Parameter<T, Shape<1, HiddenDim>, DeviceType>(Shape<1, HiddenDim>::from({1, hidden}));
  }

  /// \param attention  [batch, heads, tokens, tokens]
  /// \return           [batch, 1, tokens, tokens]
  template <class Context, class X>
  auto operator()(Context& context, const X& attention) const {
    const auto z = adjacency_mlp(context, attention, mlp0_weight, mlp0_bias, mlp3_weight, mlp3_bias, 0.1);
    return softmax_ ? softmax(context, z) : sigmoid(context, z);
  }

  void initialize(Rng& rng, double standard_deviation) {
    fill_normal(mlp0_weight, rng, standard_deviation);
    fill_constant(mlp0_bias, T{0});
    fill_normal(mlp3_weight, rng, standard_deviation);
    fill_constant(mlp3_bias, T{0});
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName(prefix + "mlp.0.weight"), self.mlp0_weight);
    visit(ParameterName(prefix + "mlp.0.bias"), self.mlp0_bias);
    visit(ParameterName(prefix + "mlp.3.weight"), self.mlp3_weight);
    visit(ParameterName(prefix + "mlp.3.bias"), self.mlp3_bias);
  }

 private:
  bool softmax_;
};

}  // namespace weft
