// SPDX-License-Identifier: Apache-2.0
/// \file
/// Graph attention on sparse causal graphs.
#pragma once

#include "weft/graph/graph_activation.hpp"
#include "weft/graph/senders.hpp"
#include "weft/ops/dropout/dropout.hpp"
#include "weft/ops/edge_softmax/edge_softmax.hpp"

namespace weft {

/// The run-time choices of `CausalGNNRecombinationLayer`. The extent is needed only where the type leaves it `Dyn`.
struct CausalGNNRecombinationOptions {
  GraphActivation activation = GraphActivation::relu;
  bool own_slope = true;  ///< false: the activation is the caller's, as inside CausalGraphNeuralNetwork
  Index hidden_dim = 0;
};

/// y_u = act(Σ over edges (s, u), s < u, of alpha x_s), alpha the softmax over the edges into u of
/// leaky(a₁ · x_u + a₂ · x_s) w (CausalGNNRecombinationLayer; quirks L7 and L8: the filter leaves out s = u, so that the
/// first token and, on a lower-triangular adjacency in the reference's direction, every token becomes act(0)).
/// Parameters: `attention_fc.weight` [1, 2 hidden] = [a₁, a₂], `activation_fn.weight` [1] of a PReLU.
template <auto HiddenDim, class T = float, class DeviceType = Cpu>
class CausalGNNRecombinationLayer {
  static constexpr auto kDoubleWidth = multiply_extents<2, HiddenDim>();

 public:
  static constexpr EdgeFilter kFilter = EdgeFilter::earlier;

  Parameter<T, Shape<1, kDoubleWidth>, DeviceType> attention_fc_weight;
  PReLUSlope<T, DeviceType> activation_fn;

  explicit CausalGNNRecombinationLayer(const CausalGNNRecombinationOptions& options = {})
      : activation_(options.activation) {
    const Index hidden = resolve_extent<HiddenDim>(options.hidden_dim, "CausalGNNRecombinationLayer: hidden_dim");
    attention_fc_weight = Parameter<T, Shape<1, kDoubleWidth>, DeviceType>(
        Shape<1, kDoubleWidth>::from({1, 2 * hidden}, "CausalGNNRecombinationLayer: attention_fc.weight"));
    if (options.own_slope) activation_fn = make_slope<T, DeviceType>(activation_);
  }

  /// \param x        [nodes, hidden]
  /// \param graph    built with `kFilter`
  /// \param weights  one for each edge of the graph's list, or `none`: ones
  /// \return         [nodes, hidden]
  template <class Context, class X, class Weights = None>
  auto operator()(Context& context, const X& x, const Graph& graph, const Weights& weights = none) const {
    return forward(context, x, graph, weights,
                   [&](const auto& h) { return activate(context, h, activation_, activation_fn); });
  }

  /// The same with an activation from outside, and with senders, which in decoding remember.
  template <class Context, class X, class Weights, class Activate, class Senders = OwnSenders>
  auto forward(Context& context, const X& x, const Graph& graph, const Weights& weights, Activate&& act,
               Senders&& senders = Senders()) const {
    // [1, 2 hidden] read as [2, hidden]: one product gives both scores of every node.
    const auto both = detail::as_result(context, attention_fc_weight)
                          .reshape(Shape<2, HiddenDim>::from({2, attention_fc_weight.extent(1) / 2}));
    const auto scores = linear(context, x, both);
    const auto sent = senders(x);
    const auto sent_scores = senders(scores);
    return act(edge_softmax(context, graph, x, scores, weights, sent, sent_scores));
  }

  /// Values that a node leaves for later ones: x and its scores.
  Index cache_width() const { return attention_fc_weight.extent(1) / 2 + 2; }

  void initialize(Rng& rng, double standard_deviation) { fill_normal(attention_fc_weight, rng, standard_deviation); }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName(prefix + "attention_fc.weight"), self.attention_fc_weight);
    if (self.activation_fn) visit(ParameterName(prefix + "activation_fn.weight"), *self.activation_fn);
  }

 private:
  GraphActivation activation_;
};

}  // namespace weft
