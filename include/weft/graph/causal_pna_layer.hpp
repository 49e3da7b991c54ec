// SPDX-License-Identifier: Apache-2.0
/// \file
/// Principal neighbourhood aggregation on sparse causal graphs.
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "weft/graph/graph_activation.hpp"
#include "weft/graph/pna_form.hpp"
#include "weft/graph/pna_networks.hpp"
#include "weft/graph/senders.hpp"
#include "weft/ops/columns/columns.hpp"
#include "weft/ops/edge_features/edge_features.hpp"
#include "weft/ops/pna_aggregate/pna_aggregate.hpp"
#include "weft/ops/scale/scale.hpp"

namespace weft {

/// The run-time choices of `CausalPNALayer`. Extents are needed only where the type leaves them `Dyn`.
struct CausalPNAOptions {
  PNAForm form = PNAForm::reference;
  PNARules rules{};                             ///< which statistics of the messages, and which factors of the degree
  Index edge_dim = 0;                           ///< features of an edge; 0: none
  Index towers = 1;                             ///< networks side by side, whose results are joined
  Index pre_layers = 1;                         ///< of the network that makes a message
  Index post_layers = 1;                        ///< of the network that takes the statistics
  bool divide_input = false;                    ///< each tower sees its share of the features instead of all
  GraphActivation act = GraphActivation::relu;  ///< inside the networks before and after the aggregation
  GraphActivation activation = GraphActivation::relu;  ///< of the result
  bool own_slope = true;  ///< false: the activation is the caller's, as inside CausalGraphNeuralNetwork
  Index in_channels = 0;
  Index out_channels = 0;
};

/// For every tower t and edge (s, u), s <= u: m = pre_t([x_u, x_s, enc(edge)]); z_ut = all statistics of the messages
/// into u times all factors of its degree (`pna_aggregate`); y = act(lin([post_0(z_u0), post_1(z_u1), ...])) (Corso et al.,
/// arXiv 2004.05718; CausalPNALayer, quirks L9 to L11). Parameters, with F features in a tower: `edge_encoder`
/// [F, edge_dim], `pre_nns.{t}.{0, 2, ...}`, `post_nns.{t}.{0, 2, ...}`, `lin` [out, out], `activation_fn.weight` [1] of a
/// PReLU.
///
/// The reference form runs with one tower and the scaler identity or amplification: it applies post_0 twice, has rows only
/// up to the largest target, and scales row k of a third axis by the degree of node k where amplification is asked for.
template <auto InChannels, auto OutChannels = InChannels, class T = float, class DeviceType = Cpu>
class CausalPNALayer {
  using AnyLinear = Linear<Dyn, Dyn, T, DeviceType>;

 public:
  static constexpr EdgeFilter kFilter = EdgeFilter::causal;

  std::optional<AnyLinear> edge_encoder;
  std::vector<PNANetwork<T, DeviceType>> pre_nns;   ///< one for each tower
  std::vector<PNANetwork<T, DeviceType>> post_nns;  ///< one for each tower
  Linear<OutChannels, OutChannels, T, DeviceType> lin;
  PReLUSlope<T, DeviceType> activation_fn;

  explicit CausalPNALayer(const CausalPNAOptions& options = {})
      : lin(true, options.out_channels, options.out_channels), options_(options) {
    options_.in_channels = resolve_extent<InChannels>(options.in_channels, "CausalPNALayer: in_channels");
    options_.out_channels = resolve_extent<OutChannels>(options.out_channels, "CausalPNALayer: out_channels");
    expect_possible();
    if (options_.form == PNAForm::reference) expect_reference_runs();
    const Index width = tower_width();
    const Index parts = options_.edge_dim > 0 ? 3 : 2;
    if (options_.edge_dim > 0) edge_encoder.emplace(true, options_.edge_dim, width);
    for (Index tower = 0; tower < options_.towers; ++tower) {
      pre_nns.emplace_back(options_.act, options_.pre_layers, parts * width, width);
      post_nns.emplace_back(options_.act, options_.post_layers, options_.rules.blocks() * width,
                            options_.out_channels / options_.towers);
    }
    if (options_.own_slope) activation_fn = make_slope<T, DeviceType>(options_.activation);
  }

  /// \param x           [nodes, in]
  /// \param graph       built with `kFilter`
  /// \param attributes  [edges of the graph's list, edge_dim], or `none` where edge_dim is 0
  /// \return            [nodes, out]; in the reference's form [rows * copies, out], rows up to the largest target, and
  ///                    copies of them with amplification, where the reference has an axis in between
  template <class Context, class X, class Attributes = None>
  auto operator()(Context& context, const X& x, const Graph& graph, const Attributes& attributes = none) const {
    const auto act = [&](const auto& h) { return activate(context, h, options_.activation, activation_fn); };
    if constexpr (std::is_same_v<Attributes, None>) {
      if (edge_encoder) fail("CausalPNALayer: the layer has an edge_dim, so there must be attributes of the edges");
      const TensorView<T, Shape<Dyn, Dyn>, DeviceType> nothing(nullptr, Shape<Dyn, Dyn>(graph.edges, 0));
      return forward(context, x, graph, nothing, act);
    } else {
      return forward(context, x, graph, gather_edges(context, graph, attributes, options_.edge_dim), act);
    }
  }

  /// The same with the attributes of the kept edges, [edges, edge_dim], an activation from outside, and senders, which in
  /// decoding remember.
  template <class Context, class X, class Attributes, class Activate, class Senders = OwnSenders>
  auto forward(Context& context, const X& x, const Graph& graph, const Attributes& attributes, Activate&& act,
               Senders&& senders = Senders()) const {
    using Tower = typename Context::template Result<T, Shape<Dyn, Dyn>>;
    const auto sent = senders(x);
    if (edge_encoder) {
      const auto encoded = (*edge_encoder)(context, attributes);
      return finish(context, towers<Tower>(context, x, graph, encoded, sent), act);
    }
    return finish(context, towers<Tower>(context, x, graph, attributes, sent), act);
  }

  /// Whether a node's row depends on those that send to it alone: the reference's form has rows up to the largest target.
  bool incremental() const { return options_.form == PNAForm::corrected; }

  /// Values that a node leaves for later ones: x.
  Index cache_width() const { return options_.in_channels; }

  /// Uniform in ± 1 / sqrt(inputs), whatever the standard deviation: these are PyTorch Geometric's layers, which the
  /// initialisation of Hugging Face leaves alone.
  void initialize(Rng& rng, double /*standard_deviation*/) {
    if (edge_encoder) initialize_uniform(*edge_encoder, rng);
    for (auto* networks : {&pre_nns, &post_nns}) {
      for (auto& network : *networks) network.initialize(rng);
    }
    initialize_uniform(lin, rng);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    if (self.edge_encoder) for_each_parameter(*self.edge_encoder, visit, prefix + "edge_encoder.");
    for (std::size_t tower = 0; tower < self.pre_nns.size(); ++tower) {
      for_each_parameter(self.pre_nns[tower], visit, concat(prefix, "pre_nns.", tower, "."));
    }
    for (std::size_t tower = 0; tower < self.post_nns.size(); ++tower) {
      for_each_parameter(self.post_nns[tower], visit, concat(prefix, "post_nns.", tower, "."));
    }
    for_each_parameter(self.lin, visit, prefix + "lin.");
    if (self.activation_fn) visit(ParameterName(prefix + "activation_fn.weight"), *self.activation_fn);
  }

 private:
  Index tower_width() const {
    return options_.divide_input ? options_.in_channels / options_.towers : options_.in_channels;
  }

  void expect_possible() const {
    const auto& o = options_;
    if (o.towers < 1 || o.pre_layers < 1 || o.post_layers < 1 || o.rules.blocks() < 1) {
      fail("CausalPNALayer: towers, pre_layers, post_layers, aggregators and scalers must be at least 1 each");
    }
    if (o.out_channels % o.towers != 0 || (o.divide_input && o.in_channels % o.towers != 0)) {
      fail(
          concat("CausalPNALayer: out_channels, and in_channels with divide_input, must be multiples of towers, found ",
                 o.in_channels, " and ", o.out_channels, " for ", o.towers));
    }
    if (o.act == GraphActivation::prelu) fail("CausalPNALayer: act must be relu, tanh or gelu");
  }

  /// Why the reference raises elsewhere: its post networks are applied twice, its tower axis is sliced as if it were
  /// features, its degrees have one entry for each edge.
  void expect_reference_runs() const {
    const auto& o = options_;
    const auto& [aggregators, scalers] = o.rules;
    const bool known = std::count(aggregators.begin(), aggregators.end(), PNAAggregator::std) == 0;
    const bool unscaled = std::count(scalers.begin(), scalers.end(), PNAScaler::identity) == scalers.count;
    const bool scaled = unscaled || (scalers.count == 1 && scalers[0] == PNAScaler::amplification);
    if (o.edge_dim > 0 && o.towers == 1 && known && scaled && o.rules.blocks() * o.in_channels == o.out_channels)
      return;
    fail(
        "CausalPNALayer: the reference runs only with edge_dim, one tower, aggregators out of mean, sum, min and max, "
        "scalers that are identity or one amplification, and out_channels = aggregators * scalers * in_channels; "
        "PNAForm::corrected does all");
  }

  template <class Tower, class Context, class X, class Encoded, class Sent>
  std::span<const Tower> towers(Context& context, const X& x, const Graph& graph, const Encoded& encoded,
                                const Sent& sent) const {
    PNARules rules = options_.rules;
    const bool amplified_later = options_.form == PNAForm::reference && rules.scalers[0] == PNAScaler::amplification;
    if (amplified_later) rules.scalers = PNAList<PNAScaler>(PNAScaler::identity);
    const auto count = static_cast<std::size_t>(options_.towers);
    auto* parts = context.workspace().template allocate<Tower>(options_.towers);
    for (std::size_t tower = 0; tower < count; ++tower) {
      const Index first = options_.divide_input ? static_cast<Index>(tower) * tower_width() : 0;
      const auto ends = edge_features(context, graph, x, encoded, first, tower_width(), sent);
      const auto messages = pre_nns[tower](context, ends);
      const auto z = pna_aggregate(context, graph, messages, rules);
      new (parts + tower)
          Tower(options_.form == PNAForm::reference ? twice(context, graph, z) : post_nns[tower](context, z));
    }
    return {parts, count};
  }

  template <class Context, class Tower, class Activate>
  auto finish(Context& context, std::span<const Tower> parts, Activate&& act) const {
    const auto joined = join_columns(context, parts);
    const auto typed = joined.reshape(Shape<Dyn, OutChannels>::from({joined.extent(0), options_.out_channels}));
    return act(lin(context, typed));
  }

  Index reference_rows(const Graph& graph) const {
    Index rows = graph.nodes;
    while (rows > 0 && graph.target_begin[rows] == graph.target_begin[rows - 1]) --rows;
    return rows;
  }
  Index scaled_rows(const Graph& graph) const {
    return options_.rules.scalers[0] == PNAScaler::identity ? 1 : std::min(options_.in_channels, graph.edges);
  }

  /// The reference's update: rows up to the largest target, for amplification a copy for each of the first nodes, times
  /// the logarithm of that node's degree; then the post network, twice.
  template <class Context, class Z>
  Z twice(Context& context, const Graph& graph, const Z& z) const {
    const Index rows = reference_rows(graph);
    const Index width = z.extent(1);
    const auto kept = take_columns(context, z.reshape(Shape<Dyn, Dyn>(1, z.size())), 0, rows * width)
                          .reshape(Shape<Dyn, Dyn>(rows, width));
    const auto post = [&](const auto& h) { return post_nns[0](context, post_nns[0](context, h)); };
    if (options_.rules.scalers[0] == PNAScaler::identity) return post(kept);
    const Index copies = scaled_rows(graph);
    auto* parts = context.workspace().template allocate<Z>(copies);
    for (Index k = 0; k < copies; ++k) {
      const Index degree = k < graph.nodes ? graph.target_begin[k + 1] - graph.target_begin[k] : 0;
      new (parts + k) Z(scale(context, kept, std::log(static_cast<double>(degree) + 1)));
    }
    const auto all = join_columns(context, std::span<const Z>(parts, static_cast<std::size_t>(copies)));
    return post(all.reshape(Shape<Dyn, Dyn>(rows * copies, width)));
  }

  CausalPNAOptions options_;
};

}  // namespace weft
