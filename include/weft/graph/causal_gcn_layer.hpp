// SPDX-License-Identifier: Apache-2.0
/// \file
/// A graph convolution on sparse causal graphs.
#pragma once

#include "weft/graph/graph_activation.hpp"
#include "weft/graph/senders.hpp"
#include "weft/layers/linear.hpp"
#include "weft/ops/message_passing/aggregate_edges.hpp"

namespace weft {

/// The run-time choices of `CausalGCNLayer`. Extents are needed only where the type leaves them `Dyn`.
struct CausalGCNOptions {
  bool bias = true;
  GraphActivation activation = GraphActivation::relu;
  bool own_slope = true;  ///< false: the activation is the caller's, as inside CausalGraphNeuralNetwork
  Index in_channels = 0;
  Index out_channels = 0;
};

/// y_u = act(Σ over edges (s, u), s <= u, of w (W x_s + b)): no normalisation by degrees and no self term, so that a node
/// without edges becomes act(0) (CausalGCNLayer). W is applied once to each node, not to each edge. Parameters:
/// `linear.{weight, bias}`, `activation_fn.weight` [1] of a PReLU.
template <auto InChannels, auto OutChannels = InChannels, class T = float, class DeviceType = Cpu>
class CausalGCNLayer {
 public:
  static constexpr EdgeFilter kFilter = EdgeFilter::causal;

  Linear<InChannels, OutChannels, T, DeviceType> linear;
  PReLUSlope<T, DeviceType> activation_fn;

  explicit CausalGCNLayer(const CausalGCNOptions& options = {})
      : linear(options.bias, options.in_channels, options.out_channels), activation_(options.activation) {
    if (options.own_slope) activation_fn = make_slope<T, DeviceType>(activation_);
  }

  /// \param x        [nodes, in]
  /// \param graph    built with `kFilter`
  /// \param weights  one for each edge of the graph's list, or `none`: ones
  /// \return         [nodes, out]
  template <class Context, class X, class Weights = None>
  auto operator()(Context& context, const X& x, const Graph& graph, const Weights& weights = none) const {
    return forward(context, x, graph, weights,
                   [&](const auto& h) { return activate(context, h, activation_, activation_fn); });
  }

  /// The same with an activation from outside, and with senders, which in decoding remember.
  template <class Context, class X, class Weights, class Activate, class Senders = OwnSenders>
  auto forward(Context& context, const X& x, const Graph& graph, const Weights& weights, Activate&& act,
               Senders&& senders = Senders()) const {
    const auto messages = linear(context, x);
    return act(aggregate_edges(context, graph, messages, weights, none, 0, senders(messages)));
  }

  /// Values that a node leaves for later ones: W x + b.
  Index cache_width() const { return linear.weight.extent(0); }

  void initialize(Rng& rng, double standard_deviation) { linear.initialize(rng, standard_deviation); }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.linear, visit, prefix + "linear.");
    if (self.activation_fn) visit(ParameterName(prefix + "activation_fn.weight"), *self.activation_fn);
  }

 private:
  GraphActivation activation_;
};

}  // namespace weft
