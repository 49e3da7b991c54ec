// SPDX-License-Identifier: Apache-2.0
/// \file
/// A stack of graph layers between two projections.
#pragma once

#include <algorithm>
#include <optional>
#include <variant>
#include <vector>

#include "weft/graph/causal_gcn_layer.hpp"
#include "weft/graph/causal_gin_layer.hpp"
#include "weft/graph/causal_gnn_recombination_layer.hpp"
#include "weft/graph/causal_pna_layer.hpp"
#include "weft/ops/add/add.hpp"
#include "weft/ops/dropout/dropout.hpp"

namespace weft {

/// The kind of the layers (`gnn_type`).
enum class GraphType { causal_gin, causal_gcn, causal_recombination, causal_pna };

/// The run-time choices of `CausalGraphNeuralNetwork`; names after the reference's GNNConfig. Extents are needed only
/// where the type leaves them `Dyn`.
struct CausalGraphNeuralNetworkOptions {
  GraphType type = GraphType::causal_gin;              ///< `gnn_type`
  GraphActivation activation = GraphActivation::relu;  ///< `activation`
  Index num_layers = 1;                                ///< `num_layers`
  bool residual = true;                                ///< `gnn_residual`
  double dropout = 0;                                  ///< `dropout`
  CausalGINOptions gin{};                              ///< of causal_gin; extents and activation are set here
  CausalPNAOptions pna{};                              ///< of causal_pna; the same
  Index transformer_hidden_dim = 0;
  Index hidden_dim = 0;  ///< `hidden_dim`
};

/// x₀ = input_projection(x); x ← dropout(act(conv_i(x))) (+ x with `residual`); output_projection(x)
/// (CausalGraphNeuralNetwork). The convolutions end in the same activation, so that it is applied twice (quirk L12); a
/// PReLU is shared by all of them. Parameters: `activation.weight` [1] of a PReLU, which files also have as
/// `convs.{i}.activation_fn.weight`; `input_projection`, `output_projection` where the widths differ; `edge_encoder`
/// [hidden, 1] of causal_pna, whose edges get the features edge_encoder(weight); `convs.{i}.*`.
template <auto TransformerHiddenDim, auto HiddenDim = Dyn, class T = float, class DeviceType = Cpu>
class CausalGraphNeuralNetwork {
  using GIN = CausalGINLayer<HiddenDim, HiddenDim, Dyn, T, DeviceType>;
  using GCN = CausalGCNLayer<HiddenDim, HiddenDim, T, DeviceType>;
  using Recombination = CausalGNNRecombinationLayer<HiddenDim, T, DeviceType>;
  using PNA = CausalPNALayer<HiddenDim, HiddenDim, T, DeviceType>;
  using Inner = Shape<Dyn, HiddenDim>;

 public:
  using Convolution = std::variant<GIN, GCN, Recombination, PNA>;

  PReLUSlope<T, DeviceType> activation;
  std::optional<Linear<TransformerHiddenDim, HiddenDim, T, DeviceType>> input_projection;
  std::optional<Linear<HiddenDim, TransformerHiddenDim, T, DeviceType>> output_projection;
  std::optional<Linear<1, HiddenDim, T, DeviceType>> edge_encoder;
  std::vector<Convolution> convs;

  explicit CausalGraphNeuralNetwork(const CausalGraphNeuralNetworkOptions& options = {}) : options_(options) {
    width_ = resolve_extent<TransformerHiddenDim>(options.transformer_hidden_dim,
                                                  "CausalGraphNeuralNetwork: transformer_hidden_dim");
    options_.hidden_dim = resolve_extent<HiddenDim>(options.hidden_dim, "CausalGraphNeuralNetwork: hidden_dim");
    if (options.num_layers < 0) {
      fail(concat("CausalGraphNeuralNetwork: num_layers must not be negative, found ", options.num_layers));
    }
    activation = make_slope<T, DeviceType>(options.activation);
    if (width_ != options_.hidden_dim) {
      input_projection.emplace(true, width_, options_.hidden_dim);
      output_projection.emplace(true, options_.hidden_dim, width_);
    }
    if (options.type == GraphType::causal_pna) {
      expect_reference_pna_runs();
      edge_encoder.emplace(true, 1, options_.hidden_dim);
    }
    convs.reserve(static_cast<std::size_t>(options.num_layers));
    for (Index i = 0; i < options.num_layers; ++i) convs.push_back(make_convolution());
  }

  /// The filter with which a graph for this network is built.
  EdgeFilter filter() const {
    return options_.type == GraphType::causal_recombination ? Recombination::kFilter : GIN::kFilter;
  }

  /// \param x        [nodes, transformer_hidden]
  /// \param graph    built with `filter()`
  /// \param weights  one for each edge of the graph's list, or `none`
  /// \param senders  in decoding `RememberedSenders`, where `incremental()`
  /// \return         [nodes, transformer_hidden]
  template <class Context, class X, class Weights = None, class Senders = OwnSenders>
  auto operator()(Context& context, const X& x, const Graph& graph, const Weights& weights = none,
                  Senders&& senders = Senders()) const {
    using Hidden = typename Context::template Result<T, Inner>;
    Hidden h = enter<Hidden>(context, x);
    const Hidden attributes = edge_attributes<Hidden>(context, graph, weights);
    const auto act = [&](const auto& in) { return activate(context, in, options_.activation, activation); };
    for (const Convolution& conv : convs) {
      const Hidden inside = convolve<Hidden>(context, conv, h, graph, weights, attributes, act, senders);
      const Hidden y = dropout(context, act(inside), options_.dropout);
      h = options_.residual ? Hidden(add(context, y, h)) : y;
    }
    return leave(context, h);
  }

  /// Whether nodes can be added one at a time: where every layer looks at those that send to a node alone.
  bool incremental() const {
    const auto one = [](const auto& layer) {
      if constexpr (requires { layer.incremental(); }) {
        return layer.incremental();
      } else {
        return true;
      }
    };
    return std::all_of(convs.begin(), convs.end(), [&](const Convolution& conv) { return std::visit(one, conv); });
  }

  /// Values that a node leaves for later ones in all layers.
  Index cache_width() const {
    Index width = 0;
    for (const Convolution& conv : convs) {
      width += std::visit([](const auto& layer) { return layer.cache_width(); }, conv);
    }
    return width;
  }

  void initialize(Rng& rng, double standard_deviation) {
    if (input_projection) input_projection->initialize(rng, standard_deviation);
    if (output_projection) output_projection->initialize(rng, standard_deviation);
    if (edge_encoder) edge_encoder->initialize(rng, standard_deviation);
    for (auto& conv : convs) std::visit([&](auto& layer) { layer.initialize(rng, standard_deviation); }, conv);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    if (self.activation) {
      ParameterName name(prefix + "activation.weight");
      for (std::size_t i = 0; i < self.convs.size(); ++i) {
        name.add_alias(concat(prefix, "convs.", i, ".activation_fn.weight"));
      }
      visit(name, *self.activation);
    }
    if (self.input_projection) for_each_parameter(*self.input_projection, visit, prefix + "input_projection.");
    if (self.output_projection) for_each_parameter(*self.output_projection, visit, prefix + "output_projection.");
    if (self.edge_encoder) for_each_parameter(*self.edge_encoder, visit, prefix + "edge_encoder.");
    for (std::size_t i = 0; i < self.convs.size(); ++i) {
      std::visit([&](auto& layer) { for_each_parameter(layer, visit, concat(prefix, "convs.", i, ".")); },
                 self.convs[i]);
    }
  }

 private:
  /// A layer of the reference returns a third axis, which a second layer cannot take and a residual would spread over all
  /// pairs of nodes.
  void expect_reference_pna_runs() const {
    const bool one = options_.num_layers == 1 && !options_.residual;
    if (options_.pna.form == PNAForm::corrected || options_.num_layers == 0 || one) return;
    fail(
        "CausalGraphNeuralNetwork: causal_pna in the reference's form needs one layer at most, without residual; "
        "PNAForm::corrected does all");
  }

  Convolution make_convolution() const {
    const Index width = options_.hidden_dim;
    switch (options_.type) {
      case GraphType::causal_gin: {
        CausalGINOptions gin = options_.gin;
        gin.in_channels = gin.out_channels = width;
        gin.activation = options_.activation;
        gin.own_slope = false;
        return GIN(gin);
      }
      case GraphType::causal_gcn:
        return GCN(
            {.activation = options_.activation, .own_slope = false, .in_channels = width, .out_channels = width});
      case GraphType::causal_recombination:
        return Recombination({.activation = options_.activation, .own_slope = false, .hidden_dim = width});
      case GraphType::causal_pna: {
        CausalPNAOptions pna = options_.pna;
        pna.in_channels = pna.out_channels = pna.edge_dim = width;
        pna.activation = options_.activation;
        pna.own_slope = false;
        return PNA(pna);
      }
    }
    fail("CausalGraphNeuralNetwork: type is not a value of GraphType");
  }

  template <class Hidden, class Context, class X>
  Hidden enter(Context& context, const X& x) const {
    static_assert(ShapeOf<X>::rank == 2, "CausalGraphNeuralNetwork: x must be [nodes, transformer_hidden]");
    const auto shape = Inner::from({x.extent(0), options_.hidden_dim});
    if (input_projection) return (*input_projection)(context, x).reshape(shape);
    return detail::as_result(context, x).reshape(shape);
  }

  template <class Context, class Hidden>
  auto leave(Context& context, const Hidden& h) const {
    const auto shape = Shape<Dyn, TransformerHiddenDim>::from({h.extent(0), width_});
    if (output_projection) return (*output_projection)(context, h).reshape(shape);
    return h.reshape(shape);
  }

  /// edge_encoder(weight) for each kept edge; empty where the layers have no features of edges.
  template <class Hidden, class Context, class Weights>
  Hidden edge_attributes(Context& context, const Graph& graph, const Weights& weights) const {
    if (!edge_encoder) return {};
    if constexpr (std::is_same_v<Weights, None>) {
      fail("CausalGraphNeuralNetwork: causal_pna needs the weights of the edges");
    } else {
      const auto gathered = gather_edges(context, graph, weights).reshape(Shape<Dyn, 1>(graph.edges));
      return (*edge_encoder)(context, gathered);
    }
  }

  template <class Hidden, class Context, class Weights, class Activate, class Senders>
  static Hidden convolve(Context& context, const Convolution& conv, const Hidden& h, const Graph& graph,
                         const Weights& weights, const Hidden& attributes, Activate&& act, Senders& senders) {
    return std::visit(
        [&](const auto& layer) -> Hidden {
          if constexpr (std::is_same_v<std::decay_t<decltype(layer)>, PNA>) {
            return layer.forward(context, h, graph, attributes, act, senders);
          } else {
            return layer.forward(context, h, graph, weights, act, senders);
          }
        },
        conv);
  }

  CausalGraphNeuralNetworkOptions options_;
  Index width_ = 0;
};

}  // namespace weft
