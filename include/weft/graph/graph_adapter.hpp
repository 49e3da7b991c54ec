// SPDX-License-Identifier: Apache-2.0
/// \file
/// The sparse graph network beside the attention of a decoder layer.
#pragma once

#include <algorithm>
#include <new>
#include <optional>
#include <vector>

#include "weft/attention/additive_mask.hpp"
#include "weft/graph/aggregated_learnable_adjacency_transformer.hpp"
#include "weft/graph/graph_adapter_options.hpp"
#include "weft/graph/step_adjacency.hpp"
#include "weft/layers/rms_norm.hpp"
#include "weft/ops/graph_adjacency/shape_adjacency.hpp"
#include "weft/ops/match_rms/match_rms.hpp"
#include "weft/ops/message_passing/adjacency_graph.hpp"
#include "weft/ops/rotary/rotary.hpp"

namespace weft {

/// z + trainable_scale o with o = gnn(z) on the graph whose edges are an adjacency made of the layer's attention weights
/// (`construct_adjacency` and `apply_gnn` of LlamaDecoderLayerWithGNN). Single: one network, then `gnn_norm`. Per head:
/// head k's network on channels k d .. (k + 1) d - 1 and the edges of map k, joined, then `ff_layer`. Parameters:
/// `trainable_scale` [], `gnn.*` or `gnns.{k}.*`, `gnn_norm.weight`, `ff_layer.*`, `adj_transform.*`.
template <auto HiddenSize, class T = float, class DeviceType = Cpu>
class GraphAdapter {
  using Network = CausalGraphNeuralNetwork<Dyn, Dyn, T, DeviceType>;

 public:
  Parameter<T, Shape<>, DeviceType> trainable_scale;
  std::optional<Network> gnn;
  std::vector<Network> gnns;
  std::optional<RMSNorm<HiddenSize, T, DeviceType>> gnn_norm;
  std::optional<Linear<HiddenSize, HiddenSize, T, DeviceType>> ff_layer;
  std::optional<AggregatedLearnableAdjacencyTransformer<Dyn, Dyn, T, DeviceType>> adj_transform;

  explicit GraphAdapter(const GraphAdapterOptions& options) : trainable_scale(Shape<>()), options_(options) {
    const Index hidden = resolve_extent<HiddenSize>(options.hidden_size, "GraphAdapter: hidden_size");
    options_.hidden_size = hidden;
    options_.adjacency.per_head = options.per_head;
    detail::expect_supported(options_);
    options_.gnn.transformer_hidden_dim = options.per_head ? head_width() : hidden;
    if (options.per_head) {
      for (Index head = 0; head < options.heads; ++head) gnns.emplace_back(options_.gnn);
      if (options.per_head_ff) ff_layer.emplace(true, hidden, hidden);
    } else {
      gnn.emplace(options_.gnn);
      if (options.use_layer_norm) gnn_norm.emplace(options.rms_norm_eps, hidden);
    }
    if (options.adjacency.method == AdjacencyMethod::learnable_aggregate) {
      adj_transform.emplace(options.learnable_softmax, options.heads, options.adj_transform_hidden_dim);
    }
    fill_constant(trainable_scale, static_cast<T>(initial_scale(options)));
  }

  /// The first value of `trainable_scale`: from `lambda_initial` in the first layer to `lambda` in the last.
  static double initial_scale(const GraphAdapterOptions& options) {
    const double first = options.lambda_initial.value_or(options.lambda);
    if (options.layers <= 1) return first;
    return first + (options.lambda - first) * static_cast<double>(options.layer_index) /
                       static_cast<double>(options.layers - 1);
  }

  /// \param z           [batch, tokens, hidden]
  /// \param weights     [batch, heads, tokens, tokens], the attention weights; or, where `reads_diagonal()` and nothing is
  ///                    additional, their diagonal [batch, heads, tokens, 1]
  /// \param inputs      masks, which must outlive the step on a tape, and rotary tables for `add_rope`
  /// \param additional  [batch, maps, tokens, tokens] or, in single mode, [batch, tokens, tokens], added to the
  ///                    adjacency behind the causal cut; or `none`: then that of the inputs, where they have one
  /// \return            the shape of z
  template <class Context, class Z, class Weights, class Additional = None>
  auto operator()(Context& context, const Z& z, const Weights& weights, const AttentionInputs<T>& inputs,
                  const Additional& additional = none) const {
    const bool lower = options_.adjacency.enforce_causality && std::is_same_v<Additional, None> &&
                       inputs.additional_adj.data() == nullptr;
    return apply(context, z, adjacency(context, weights, inputs, additional), inputs, lower);
  }

  /// The adjacency, [batch, maps, tokens, tokens], row = query: maps is heads per head, 1 in single mode. Per head the one
  /// matrix of `learnable_aggregate` stands for every head, in every text (quirk D6).
  template <class Context, class Weights, class Additional = None>
  auto adjacency(Context& context, const Weights& weights, const AttentionInputs<T>& inputs,
                 const Additional& additional = none) const {
    const auto mask = mask_of(inputs, weights, inputs.cache ? inputs.cache.length : 0);
    if constexpr (std::is_same_v<Additional, None>) {
      if (inputs.additional_adj.data() != nullptr) return shaped(context, weights, mask, inputs.additional_adj);
      return shaped(context, weights, mask, none);
    } else if constexpr (ShapeOf<Additional>::rank == 3) {
      const auto one_map =
          detail::as_result(context, additional)
              .reshape(Shape<Dyn, Dyn, Dyn, Dyn>(additional.extent(0), 1, additional.extent(1), additional.extent(2)));
      return shaped(context, weights, mask, one_map);
    } else {
      return shaped(context, weights, mask, additional);
    }
  }

  /// z + trainable_scale o on a given adjacency.
  ///
  /// \param lower_triangular  promises zeros above the diagonal of the adjacency; then the reference's direction, which
  ///                          keeps nothing but the diagonal of such a one, reads only that
  template <class Context, class Z, class Adjacency>
  auto apply(Context& context, const Z& z, const Adjacency& edges, const AttentionInputs<T>& inputs,
             bool lower_triangular) const {
    return run(context, z, edges, inputs, {network().filter(), options_.edge_direction, lower_triangular},
               [](Index) { return OwnSenders(); });
  }

  /// The same as the call for new tokens, given the earlier ones in the cache, to which the new ones are added. An error where
  /// `incremental()` is false.
  ///
  /// \param z        [batch, new tokens, hidden]
  /// \param weights  [batch, heads, new tokens, cached + new tokens]; or, where `reads_diagonal()`, [batch, heads, new tokens, 1]
  template <class Z, class Weights>
  auto decode(BasicInference<DeviceType>& context, const Z& z, const Weights& weights, const AttentionInputs<T>& inputs,
              RowCache<T>& cache) const {
    if (!incremental()) {
      fail("GraphAdapter: later tokens change what these networks make of earlier ones; run them on the whole text");
    }
    cache.expect_room_for("GraphAdapter", z.extent(0), z.extent(1));
    const auto mask = mask_of(inputs, weights, cache.length());
    if (reads_diagonal()) {
      const auto edges = shaped(context, detail::diagonal_of(context, detail::as_result(context, weights)), mask, none);
      cache.advance(z.extent(1));
      return apply(context, z, edges, inputs, true);
    }
    const auto rows = shaped(context, weights, mask, none);
    const auto edges = options_.edge_direction == EdgeDirection::reference
                           ? detail::received(context, rows, hidden_entry(context))
                           : rows;
    const AdjacencyEdges choice{network().filter(), EdgeDirection::key_to_query, false, cache.capacity()};
    const Index width = network().cache_width();
    const auto y =
        run(context, z, edges, inputs, choice, [&](Index map) { return RememberedSenders<T>(cache, map * width); });
    cache.advance(z.extent(1));
    return y;
  }

  void initialize(Rng& rng, double standard_deviation) {
    if (gnn) gnn->initialize(rng, standard_deviation);
    for (auto& network : gnns) network.initialize(rng, standard_deviation);
    if (ff_layer) ff_layer->initialize(rng, standard_deviation);
    if (adj_transform) adj_transform->initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit_scale(self, visit, prefix);
    visit_modules(self, visit, prefix);
  }

  /// `trainable_scale` alone.
  template <class Self, class Visit>
  static void visit_scale(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName(prefix + "trainable_scale"), self.trainable_scale);
  }

  /// All but `trainable_scale`, which in a decoder layer comes before the attention and these behind its norms.
  template <class Self, class Visit>
  static void visit_modules(Self& self, Visit&& visit, const std::string& prefix) {
    if (self.gnn) for_each_parameter(*self.gnn, visit, prefix + "gnn.");
    for (std::size_t head = 0; head < self.gnns.size(); ++head) {
      for_each_parameter(self.gnns[head], visit, concat(prefix, "gnns.", head, "."));
    }
    if (self.gnn_norm) for_each_parameter(*self.gnn_norm, visit, prefix + "gnn_norm.");
    if (self.ff_layer) for_each_parameter(*self.ff_layer, visit, prefix + "ff_layer.");
    if (self.adj_transform) for_each_parameter(*self.adj_transform, visit, prefix + "adj_transform.");
  }

  const GraphAdapterOptions& options() const { return options_; }

  /// Whether nothing but the diagonal of the attention weights has an effect: a token sends to later ones only, and the
  /// adjacency has no entries for those.
  bool reads_diagonal() const {
    return options_.edge_direction == EdgeDirection::reference && options_.adjacency.enforce_causality &&
           !adj_transform;
  }

  /// Whether weights of masked pairs that are not 0 would be summed over heads, and the sum kept (quirk A23).
  bool sums_scores() const {
    if (options_.adjacency.zero_below_epsilon) return false;
    return adj_transform || (!options_.per_head && options_.adjacency.method != AdjacencyMethod::threshold_any);
  }

  /// Whether tokens can be added one at a time: where nothing is taken over a whole text, as a mean is, the largest distance,
  /// or the softmax of `learnable_aggregate`, whose sum counts the keys that a token does not see.
  bool incremental() const {
    if (options_.norm_to_hidden_states || options_.adjacency.use_distance_scaling) return false;
    const bool softmax = adj_transform && options_.learnable_softmax;
    return network().incremental() && (!softmax || reads_hidden_pairs());
  }

  /// Values that a token leaves in a cache: what each layer of each network sends. Nothing where it looks at itself alone.
  Index cache_width() const { return reads_diagonal() ? 0 : maps() * network().cache_width(); }
  /// Room for `capacity` tokens of `batch` texts.
  RowCache<T> make_cache(Index batch, Index capacity) const { return {batch, capacity, cache_width()}; }

  /// Matrices of an adjacency: one for each head per head, 1 in single mode.
  Index maps() const { return options_.per_head ? options_.heads : 1; }

 private:
  /// One of the networks, which differ in their parameters alone.
  const Network& network() const { return options_.per_head ? gnns.front() : *gnn; }

  /// Whether no edge is one that attention sees: s sends to a later u along E[s, u], and keeps nothing for itself.
  bool reads_hidden_pairs() const {
    return options_.edge_direction == EdgeDirection::reference && network().filter() == EdgeFilter::earlier;
  }

  Index head_width() const { return options_.hidden_size / options_.heads; }

  /// \param past  tokens before those of the weights
  template <class Weights>
  GraphAdjacencyMask<T> mask_of(const AttentionInputs<T>& inputs, const Weights& weights, Index past) const {
    if (inputs.first_key != nullptr && !incremental()) detail::refuse_packing(options_, network().incremental());
    const Index tokens = weights.extent(2);
    const auto added = detail::additive_rows(inputs, weights.extent(0), tokens, past + tokens);
    return {inputs.causal, inputs.key_valid, added.data, inputs.first_key, past, added.batch_stride, added.row_stride};
  }

  template <class Context, class Weights, class Additional>
  auto shaped(Context& context, const Weights& weights, const GraphAdjacencyMask<T>& mask,
              const Additional& additional) const {
    const auto shape_it = [&](const auto& maps) {
      return shape_adjacency(context, maps, mask, options_.adjacency, additional);
    };
    if (!adj_transform) return shape_it(weights);
    const auto one_map = (*adj_transform)(context, weights);
    return options_.per_head ? shape_it(for_every_head(context, one_map)) : shape_it(one_map);
  }

  /// The entry of a pair that the causal mask hides.
  template <class Context>
  T hidden_entry(Context& context) const {
    auto weights = context.template make<T>(Shape<Dyn, Dyn, Dyn, Dyn>(1, options_.heads, 2, 2));
    std::fill_n(weights.data(), weights.size(), T{0});
    GraphAdjacencyMask<T> mask;
    mask.causal = true;
    return shaped(context, weights, mask, none).data()[1];
  }

  /// [batch, 1, tokens, keys] as [batch, heads, tokens, keys].
  template <class Context, class Map>
  Map for_every_head(Context& context, const Map& map) const {
    using Flat = typename Context::template Result<T, Shape<Dyn, Dyn>>;
    const Flat flat = map.reshape(Shape<Dyn, Dyn>(map.extent(0), map.extent(2) * map.extent(3)));
    auto* copies = context.workspace().template allocate<Flat>(options_.heads);
    for (Index head = 0; head < options_.heads; ++head) new (copies + head) Flat(flat);
    const auto all = join_columns(context, std::span<const Flat>(copies, static_cast<std::size_t>(options_.heads)));
    return all.reshape(Shape<Dyn, Dyn, Dyn, Dyn>(map.extent(0), options_.heads, map.extent(2), map.extent(3)));
  }

  /// The result on the graph of each map; senders_of(map) says where what its nodes send lies.
  template <class Context, class Z, class Adjacency, class SendersOf>
  auto run(Context& context, const Z& z, const Adjacency& edges, const AttentionInputs<T>& inputs,
           const AdjacencyEdges& choice, SendersOf&& senders_of) const {
    const auto x = detail::as_result(context, z);
    const Shape<Dyn, HiddenSize> rows =
        Shape<Dyn, HiddenSize>::from({z.extent(0) * z.extent(1), z.extent(2)}, "GraphAdapter: z");
    const auto o = options_.per_head ? on_heads(context, x.reshape(rows), edges, choice, senders_of)
                                     : on_tokens(context, x, edges, inputs, choice, senders_of(0));
    const auto sized =
        options_.norm_to_hidden_states ? match_rms(context, o, x.reshape(rows), options_.norm_zero_guard) : o;
    const auto normed = gnn_norm ? (*gnn_norm)(context, sized) : sized;
    return add(context, x, scale(context, normed.reshape(x.shape()), trainable_scale));
  }

  /// One network on all channels: [batch * tokens, hidden].
  template <class Context, class X, class Adjacency, class Senders>
  auto on_tokens(Context& context, const X& x, const Adjacency& edges, const AttentionInputs<T>& inputs,
                 const AdjacencyEdges& choice, Senders senders) const {
    const auto graph = make_graph(context, edges, 0, choice);
    const Shape<Dyn, Dyn> rows(x.extent(0) * x.extent(1), x.extent(2));
    const auto nodes = options_.add_rope ? rotary_embedding(context, x, inputs.cos, inputs.sin, options_.heads) : x;
    const auto o = (*gnn)(context, nodes.reshape(rows), graph, edges, senders);
    return o.reshape(Shape<Dyn, HiddenSize>::from({rows[0], rows[1]}));
  }

  /// A network for each head's channels, joined: [batch * tokens, hidden].
  template <class Context, class X, class Adjacency, class SendersOf>
  auto on_heads(Context& context, const X& x, const Adjacency& edges, const AdjacencyEdges& choice,
                SendersOf&& senders_of) const {
    using Part = typename Context::template Result<T, Shape<Dyn, Dyn>>;
    auto* parts = context.workspace().template allocate<Part>(options_.heads);
    for (Index head = 0; head < options_.heads; ++head) {
      const auto graph = make_graph(context, edges, head, choice);
      const auto channels = take_columns(context, x, head * head_width(), head_width());
      new (parts + head) Part(gnns[static_cast<std::size_t>(head)](context, channels, graph, edges, senders_of(head)));
    }
    const auto joined = join_columns(context, std::span<const Part>(parts, static_cast<std::size_t>(options_.heads)));
    const auto typed = joined.reshape(Shape<Dyn, HiddenSize>::from({joined.extent(0), options_.hidden_size}));
    return ff_layer ? (*ff_layer)(context, typed) : typed;
  }

  GraphAdapterOptions options_;
};

}  // namespace weft
