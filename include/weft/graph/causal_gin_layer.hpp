// SPDX-License-Identifier: Apache-2.0
/// \file
/// A graph isomorphism layer on sparse causal graphs.
#pragma once

#include <optional>

#include "weft/graph/graph_activation.hpp"
#include "weft/graph/senders.hpp"
#include "weft/layers/linear.hpp"
#include "weft/ops/gin/gin_size.hpp"
#include "weft/ops/graph_norm/graph_norm.hpp"
#include "weft/ops/layer_norm/layer_norm.hpp"
#include "weft/ops/message_passing/aggregate_edges.hpp"

namespace weft {

/// The norm inside the network of a CausalGINLayer.
enum class GraphNormKind {
  none,
  layer,     ///< over the features of a node, with weight and bias
  graph,     ///< over the nodes of all graphs together (quirk L4), or of each: `norm_per_graph`
  instance,  ///< over the features of a node, without parameters (quirk L5)
};

/// The run-time choices of `CausalGINLayer`. Extents are needed only where the type leaves them `Dyn`.
struct CausalGINOptions {
  bool use_mlp = true;           ///< `GIN_use_MLP`
  double hidden_multiplier = 1;  ///< `GIN_hidden_dim_multiplier`: hidden width is int(in * multiplier)
  GraphNormKind norm = GraphNormKind::layer;
  bool norm_per_graph = false;                   ///< corrected form of quirk L4
  bool edge_weight_scaling = false;              ///< messages are multiplied by the edge weights
  bool bias = true;                              ///< of all linear layers
  GINSelfTerm self_term = GINSelfTerm::epsilon;  ///< quirk L2
  GraphActivation activation = GraphActivation::relu;
  bool own_slope = true;  ///< false: the activation is the caller's, as inside CausalGraphNeuralNetwork
  Index in_channels = 0;
  Index out_channels = 0;
};

/// o_u = epsilon x_u + Σ over edges (s, u), s <= u, of w x_s;  y = W₂ act(norm(W₁ o)) + R(o), or act(W o) without the
/// network (CausalGINLayer; Xu et al., arXiv 1810.00826; quirks L1 to L6). R is the identity, or a linear layer where the
/// widths differ. Parameters: `epsilon` [1]; `linear1`, `linear2`, `norm.{weight, bias, mean_scale}`,
/// `residual_linear`, or `transform`; `activation_fn.weight` [1] of a PReLU.
template <auto InChannels, auto OutChannels = InChannels, auto HiddenChannels = Dyn, class T = float,
          class DeviceType = Cpu>
class CausalGINLayer {
  using Features = Parameter<T, Shape<HiddenChannels>, DeviceType>;

 public:
  static constexpr EdgeFilter kFilter = EdgeFilter::causal;

  Parameter<T, Shape<1>, DeviceType> epsilon;
  std::optional<Linear<InChannels, HiddenChannels, T, DeviceType>> linear1;
  std::optional<Linear<HiddenChannels, OutChannels, T, DeviceType>> linear2;
  std::optional<Features> norm_weight;
  std::optional<Features> norm_bias;
  std::optional<Features> norm_mean_scale;
  std::optional<Linear<InChannels, OutChannels, T, DeviceType>> residual_linear;
  std::optional<Linear<InChannels, OutChannels, T, DeviceType>> transform;
  PReLUSlope<T, DeviceType> activation_fn;

  explicit CausalGINLayer(const CausalGINOptions& options = {}) : epsilon(Shape<1>()), options_(options) {
    const Index in = resolve_extent<InChannels>(options.in_channels, "CausalGINLayer: in_channels");
    const Index out = resolve_extent<OutChannels>(options.out_channels, "CausalGINLayer: out_channels");
    if (options.own_slope) activation_fn = make_slope<T, DeviceType>(options.activation);
    if (!options.use_mlp) {
      transform.emplace(options.bias, in, out);
      return;
    }
    const auto hidden = static_cast<Index>(static_cast<double>(in) * options.hidden_multiplier);
    linear1.emplace(options.bias, in, hidden);
    linear2.emplace(options.bias, hidden, out);
    if (in != out) residual_linear.emplace(options.bias, in, out);
    make_norm(hidden);
  }

  /// \param x        [nodes, in]
  /// \param graph    built with `kFilter`
  /// \param weights  one for each edge of the graph's list, or `none`: ones
  /// \return         [nodes, out]
  template <class Context, class X, class Weights = None>
  auto operator()(Context& context, const X& x, const Graph& graph, const Weights& weights = none) const {
    return forward(context, x, graph, weights,
                   [&](const auto& h) { return activate(context, h, options_.activation, activation_fn); });
  }

  /// The same with an activation from outside, and with senders, which in decoding remember.
  template <class Context, class X, class Weights, class Activate, class Senders = OwnSenders>
  auto forward(Context& context, const X& x, const Graph& graph, const Weights& weights, Activate&& act,
               Senders&& senders = Senders()) const {
    const double offset = options_.self_term == GINSelfTerm::one_plus_epsilon ? 1 : 0;
    const auto sent = senders(x);
    const auto o = options_.edge_weight_scaling ? aggregate_edges(context, graph, x, weights, epsilon, offset, sent)
                                                : aggregate_edges(context, graph, x, none, epsilon, offset, sent);
    if (transform) return act((*transform)(context, o));
    const auto h = act(normed(context, graph, (*linear1)(context, o)));
    if (residual_linear) return (*linear2)(context, h, (*residual_linear)(context, o));
    if constexpr (SameExtent<InChannels, OutChannels>) {
      return (*linear2)(context, h, o);
    } else {
      fail("CausalGINLayer: the widths differ, so there must be a residual_linear");
    }
  }

  /// Whether a node's row depends on those that send to it alone: the norm `graph` looks at all nodes.
  bool incremental() const { return !linear1 || options_.norm != GraphNormKind::graph; }

  /// Values that a node leaves for later ones: x.
  Index cache_width() const { return linear1 ? linear1->weight.extent(1) : transform->weight.extent(1); }

  void initialize(Rng& rng, double standard_deviation) {
    for (auto* layer : {&transform, &residual_linear}) {
      if (*layer) (*layer)->initialize(rng, standard_deviation);
    }
    if (linear1) linear1->initialize(rng, standard_deviation);
    if (linear2) linear2->initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName(prefix + "epsilon"), self.epsilon);
    if (self.linear1) for_each_parameter(*self.linear1, visit, prefix + "linear1.");
    if (self.linear2) for_each_parameter(*self.linear2, visit, prefix + "linear2.");
    if (self.norm_weight) visit(ParameterName::of_norm(prefix + "norm.weight"), *self.norm_weight);
    if (self.norm_bias) visit(ParameterName::of_norm(prefix + "norm.bias"), *self.norm_bias);
    if (self.norm_mean_scale) visit(ParameterName::of_norm(prefix + "norm.mean_scale"), *self.norm_mean_scale);
    if (self.residual_linear) for_each_parameter(*self.residual_linear, visit, prefix + "residual_linear.");
    if (self.transform) for_each_parameter(*self.transform, visit, prefix + "transform.");
    if (self.activation_fn) visit(ParameterName(prefix + "activation_fn.weight"), *self.activation_fn);
  }

 private:
  static constexpr double kNormEps = 1e-5;

  void make_norm(Index hidden) {
    const auto shape = Shape<HiddenChannels>::from({hidden});
    if (options_.norm != GraphNormKind::layer && options_.norm != GraphNormKind::graph) return;
    norm_weight.emplace(shape);
    norm_bias.emplace(shape);
    fill_constant(*norm_weight, T{1});
    if (options_.norm == GraphNormKind::layer) return;
    norm_mean_scale.emplace(shape);
    fill_constant(*norm_mean_scale, T{1});
  }

  template <class Context, class H>
  H normed(Context& context, const Graph& graph, const H& h) const {
    switch (options_.norm) {
      case GraphNormKind::none:
        return h;
      case GraphNormKind::layer:
        return layer_norm(context, h, *norm_weight, *norm_bias, kNormEps);
      case GraphNormKind::graph:
        return graph_norm(context, h, *norm_weight, *norm_bias, *norm_mean_scale, kNormEps,
                          options_.norm_per_graph ? &graph : nullptr);
      case GraphNormKind::instance:
        return row_norm(context, h, kNormEps);
    }
    fail("CausalGINLayer: norm is not a value of GraphNormKind");
  }

  CausalGINOptions options_;
};

}  // namespace weft
