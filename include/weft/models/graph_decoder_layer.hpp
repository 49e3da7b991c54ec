// SPDX-License-Identifier: Apache-2.0
/// \file
/// The decoder layer of a graph-aware Llama: a graph network beside or between attention and feed-forward block.
#pragma once

#include <optional>
#include <utility>

#include "weft/attention/any_attention.hpp"
#include "weft/layers/rms_norm.hpp"
#include "weft/mlp/any_mlp.hpp"
#include "weft/models/gnn_choices.hpp"

namespace weft {

/// Stands for the graph network of layers that have none.
class NoGraph {
 public:
  template <class Context, class Z, class Weights, class Inputs, class Additional>
  Z operator()(Context& /*context*/, const Z& z, const Weights& /*weights*/, const Inputs& /*inputs*/,
               const Additional& /*additional*/) const {
    return z;
  }

  template <class Context, class Z, class Weights, class Inputs, class Cache>
  Z decode(Context& /*context*/, const Z& z, const Weights& /*weights*/, const Inputs& /*inputs*/,
           Cache& /*cache*/) const {
    return z;
  }

  static Index maps() { return 0; }
  static Index cache_width() { return 0; }
  static bool reads_diagonal() { return false; }
  static bool sums_scores() { return false; }
  static bool incremental() { return true; }

  void initialize(Rng& /*rng*/, double /*standard_deviation*/) {}

  template <class Self, class Visit>
  static void visit_scale(Self& /*self*/, Visit&& /*visit*/, const std::string& /*prefix*/) {}
  template <class Self, class Visit>
  static void visit_modules(Self& /*self*/, Visit&& /*visit*/, const std::string& /*prefix*/) {}
};

/// The run-time choices of `GraphDecoderLayer`; names after the reference's `GNNConfig`.
struct GraphDecoderLayerOptions {
  GNNLogic gnn_logic = GNNLogic::before_MLP;
  bool use_original_hidden_states = false;
  bool mlp_uses_weights = false;  ///< the feed-forward block works on the attention's weights
  double rms_norm_eps = 1e-5;     ///< of the layer's own norms
  Index hidden_size = 0;
};

/// With n = input_layernorm(x), attention a, weights W of it, N = post_attention_layernorm, f the feed-forward block, g the
/// graph network with its residual (g(z) = z without one) and h = x + a, or h = n with `use_original_hidden_states`:
///
///     before_MLP        y = g(h) [+ x if use_original_hidden_states];  y + f(N(y))
///     after_MLP         g(h + f(N(h)))
///     parallel_GNN_MLP  N(h + f(N(h)) + g(N(h)))
///
/// Without a feed-forward block f(z) = z, and the first two leave its skip out (LlamaDecoderLayerWithGNN, with its quirks D1
/// to D3: `use_original_hidden_states` drops a, and the parallel form norms the residual stream). W is computed only where
/// the graph network or f wants it (quirk D4), a only where it is used.
/// Parameters: `self_attn.*`, `mlp.*`, `input_layernorm`, `post_attention_layernorm`, and the graph network's.
template <auto HiddenSize, class AttentionType, class MLPType, class GraphType, class T = float, class DeviceType = Cpu>
class GraphDecoderLayer {
 public:
  using Attention = AttentionType;
  using MLP = MLPType;
  using Element = T;
  using Device = DeviceType;
  static constexpr auto kHiddenSize = HiddenSize;

  AttentionType self_attn;
  MLPType mlp;
  std::optional<GraphType> graph;  ///< with `gnn_mode` single or per_head
  RMSNorm<HiddenSize, T, DeviceType> input_layernorm;
  RMSNorm<HiddenSize, T, DeviceType> post_attention_layernorm;

  /// An error where the graph network or the feed-forward block would sum bare scores, the mask among them (quirk A23).
  GraphDecoderLayer(AttentionType attention, MLPType feed_forward, std::optional<GraphType> network,
                    const GraphDecoderLayerOptions& options)
      : self_attn(std::move(attention)),
        mlp(std::move(feed_forward)),
        graph(std::move(network)),
        input_layernorm(options.rms_norm_eps, options.hidden_size),
        post_attention_layernorm(options.rms_norm_eps, options.hidden_size),
        options_(options) {
    const bool sums = options.mlp_uses_weights || (graph && graph->sums_scores());
    if (sums && gives_attention_scores(self_attn)) {
      fail(
          "GraphDecoderLayer: attention without softmax and ReLU has no weights but scores with the mask in them, "
          "which "
          "a graph network without zero_below_epsilon or an MLP on the adjacency would sum; choose softmax or ReLU");
    }
  }

  /// \param x           [batch, tokens, hidden]
  /// \param additional  an adjacency to add to the network's own, [batch, 1 or heads, tokens, tokens], through which gradients
  ///                    flow; or `none`: then that of the inputs, where they have one
  template <class Context, class X, class Additional = None>
  auto operator()(Context& context, const X& x, const AttentionInputs<T>& inputs,
                  const Additional& additional = none) const {
    using Hidden = HiddenOf<Context, X>;
    const bool with_additional = !std::is_same_v<Additional, None> || inputs.additional_adj.data() != nullptr;
    if (inputs.cache && (with_additional || !incremental())) refuse_cache();
    WeightsOf<Context> weights;
    const Hidden h = attend(context, x, inputs, !with_additional && diagonal_is_enough(), weights);
    const auto g = [&](const Hidden& z) -> Hidden {
      if (!graph) return z;
      if constexpr (!Context::records) {
        if (inputs.cache) {
          RowCache<T> remembered(inputs.cache.graph, z.extent(0), inputs.cache.capacity, inputs.cache.length);
          return graph->decode(context, z, weights, inputs, remembered);
        }
      }
      return (*graph)(context, z, weights, inputs, additional);
    };
    switch (options_.gnn_logic) {
      case GNNLogic::before_MLP: {
        const Hidden y = g(h);
        return feed_forward(context, options_.use_original_hidden_states ? Hidden(add(context, y, x)) : y, weights,
                            inputs);
      }
      case GNNLogic::after_MLP:
        return g(feed_forward(context, h, weights, inputs));
      case GNNLogic::parallel_GNN_MLP: {
        const Hidden m = post_attention_layernorm(context, h);
        const Hidden with_mlp = call_mlp(context, m, weights, inputs, h);
        return post_attention_layernorm(context, add(context, with_mlp, g(m)));
      }
    }
    fail("GraphDecoderLayer: not a value of GNNLogic");
  }

  /// Whether tokens can be added one at a time with a cache: where no part sees later tokens or takes a mean over a text.
  bool incremental() const {
    return (!graph || graph->incremental()) && is_incremental_attention(self_attn) && is_incremental_block(mlp);
  }

  /// Values that a token leaves in the cache of the graph network.
  Index graph_cache_width() const { return graph ? graph->cache_width() : 0; }

  /// Matrices of the graph network's adjacency; 0 without a network.
  Index graph_maps() const { return graph ? graph->maps() : 0; }

  void initialize(Rng& rng, double standard_deviation) {
    self_attn.initialize(rng, standard_deviation);
    mlp.initialize(rng, standard_deviation);
    if (graph) graph->initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    if (self.graph) self.graph->visit_scale(*self.graph, visit, prefix);
    for_each_parameter(self.self_attn, visit, prefix + "self_attn.");
    for_each_parameter(self.mlp, visit, prefix + "mlp.");
    for_each_parameter(self.input_layernorm, visit, prefix + "input_layernorm.");
    for_each_parameter(self.post_attention_layernorm, visit, prefix + "post_attention_layernorm.");
    if (self.graph) self.graph->visit_modules(*self.graph, visit, prefix);
  }

 private:
  template <class Context, class X>
  using HiddenOf = typename Context::template Result<T, ShapeOf<X>>;
  template <class Context>
  using WeightsOf = typename Context::template Result<T, Shape<Dyn, Dyn, Dyn, Dyn>>;

  bool needs_weights() const { return graph.has_value() || options_.mlp_uses_weights; }

  /// Whether of the weights only what each token looks at itself has an effect, and the attention can give that alone.
  bool diagonal_is_enough() const {
    return graph && graph->reads_diagonal() && !options_.mlp_uses_weights && has_attention_diagonal(self_attn);
  }

  /// h, and the weights, or their diagonal, where they are needed.
  template <class Context, class X>
  HiddenOf<Context, X> attend(Context& context, const X& x, const AttentionInputs<T>& inputs,
                              [[maybe_unused]] bool diagonal, WeightsOf<Context>& weights) const {
    const HiddenOf<Context, X> n = input_layernorm(context, x);
    const auto hidden = [&](const auto& y) { return y.reshape(ShapeOf<X>::from(y.shape().extents())); };
    if constexpr (requires { self_attn.with_diagonal(context, n, inputs, x); }) {
      if (diagonal) {
        const auto attended = self_attn.with_diagonal(context, n, inputs, x);
        weights = attended.weights;
        return options_.use_original_hidden_states ? n : hidden(attended.output);
      }
    }
    if constexpr (requires { self_attn.with_weights(context, n, inputs, x); }) {
      if (needs_weights()) {
        const auto attended = self_attn.with_weights(context, n, inputs, x);
        weights = attended.weights.reshape(Shape<Dyn, Dyn, Dyn, Dyn>::from(attended.weights.shape().extents()));
        return options_.use_original_hidden_states ? n : hidden(attended.output);
      }
    }
    return options_.use_original_hidden_states ? n : hidden(self_attn(context, n, inputs, x));
  }

  /// y + f(N(y)), or N(y) where there is no block.
  template <class Context, class Hidden>
  Hidden feed_forward(Context& context, const Hidden& y, const WeightsOf<Context>& weights,
                      const AttentionInputs<T>& inputs) const {
    const Hidden m = post_attention_layernorm(context, y);
    return has_mlp() ? call_mlp(context, m, weights, inputs, y) : m;
  }

  template <class Context, class Hidden>
  Hidden call_mlp(Context& context, const Hidden& m, const WeightsOf<Context>& weights,
                  const AttentionInputs<T>& inputs, const Hidden& residual) const {
    if constexpr (TakesWeights<MLPType, Context, Hidden, WeightsOf<Context>> && !Context::records) {
      const CachedKeysValues<T>& cache = inputs.cache;
      if (cache.block != nullptr) {
        RowCache<T> remembered(cache.block, m.extent(0), cache.capacity, cache.length);
        return mlp.decode(context, m, weights, remembered, residual);
      }
    }
    return call_block(mlp, context, m, weights, residual, inputs.first_key);
  }

  bool has_mlp() const {
    if constexpr (requires { mlp.template is<NoMLP>(); }) {
      return !mlp.template is<NoMLP>();
    } else {
      return !std::is_same_v<MLPType, NoMLP>;
    }
  }

  [[noreturn]] static void refuse_cache() {
    fail("GraphDecoderLayer: this layer looks at the whole text for each token; run it without a cache");
  }

  GraphDecoderLayerOptions options_;
};

}  // namespace weft
