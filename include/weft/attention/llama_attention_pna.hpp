// SPDX-License-Identifier: Apache-2.0
/// \file
/// Attention as a graph whose nodes see their neighbours through several aggregators: principal neighbourhood aggregation.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "weft/attention/attention_result.hpp"
#include "weft/attention/cached_attention.hpp"
#include "weft/attention/llama_attention_pna_options.hpp"
#include "weft/attention/remembered_rows.hpp"
#include "weft/layers/extent_rules.hpp"
#include "weft/layers/linear.hpp"
#include "weft/ops/activation/activation.hpp"
#include "weft/ops/adjacency/aggregate_adjacency.hpp"
#include "weft/ops/adjacency/process_adjacency.hpp"
#include "weft/ops/grouped_linear/grouped_linear.hpp"
#include "weft/ops/pna/pna_attention.hpp"
#include "weft/ops/rotary/rotary.hpp"

namespace weft {

/// Both kinds of PNA attention. For every head P = mode(a) with a = softmax((q kᵀ / √d + mask) / τ), or the ReLU of the scores,
/// or the scores; then o = W₂ silu(W₀ z + b₀) + b₂ where z are four aggregates of the values over the rows of P (see
/// `pna_attention`), heads concatenated, and o_proj. P is never stored.
/// Parameters: `q_proj`, `k_proj`, `v_proj`, `o_proj`, `aggregator_mlps.{head}.0` [int(multiplier * d), 4 d],
/// `aggregator_mlps.{head}.2` [d, ...], `threshold.0` (optional), `residual_epsilon.0` (without effect).
template <PNAAggregates Aggregates, auto HiddenSize, auto Heads, auto KeyValueHeads = Heads,
          auto HeadDim = divide_extents<HiddenSize, Heads>(), auto MLPHiddenDim = Dyn, class T = float,
          class DeviceType = Cpu>
class BasicLlamaAttentionPNA {
  static_assert(MultipleOf<Heads, KeyValueHeads>, "LlamaAttentionPNA: key_value_heads must divide heads");
  static_assert(MultipleOf<HeadDim, 2>,
                "LlamaAttentionPNA: head_dim must be even, because the rotary embedding turns pairs");
  static constexpr auto kQueryWidth = multiply_extents<Heads, HeadDim>();
  static constexpr auto kKeyWidth = multiply_extents<KeyValueHeads, HeadDim>();
  static constexpr std::string_view kName =
      Aggregates == PNAAggregates::sum_mean_max_variance ? "LlamaAttentionPNA" : "LlamaAttentionPNA_LM";
  using First = Linear<multiply_extents<4, HeadDim>(), MLPHiddenDim, T, DeviceType>;
  using Second = Linear<MLPHiddenDim, HeadDim, T, DeviceType>;

 public:
  Linear<HiddenSize, kQueryWidth, T, DeviceType> q_proj;
  Linear<HiddenSize, kKeyWidth, T, DeviceType> k_proj;
  Linear<HiddenSize, kKeyWidth, T, DeviceType> v_proj;
  Linear<kQueryWidth, HiddenSize, T, DeviceType> o_proj;
  std::vector<First> aggregator_mlps_0;   ///< one for each head
  std::vector<Second> aggregator_mlps_2;  ///< one for each head
  std::optional<Parameter<T, Shape<>, DeviceType>> threshold;
  Parameter<T, Shape<>, DeviceType> residual_epsilon;

  explicit BasicLlamaAttentionPNA(const LlamaAttentionPNAOptions& options = {})
      : q_proj(options.bias, options.hidden_size, options.heads * options.head_dim),
        k_proj(options.bias, options.hidden_size, options.key_value_heads * options.head_dim),
        v_proj(options.bias, options.hidden_size, options.key_value_heads * options.head_dim),
        o_proj(options.bias, options.heads * options.head_dim, options.hidden_size),
        residual_epsilon(Shape<>()),
        options_(options) {
    options_.heads = resolve_extent<Heads>(options.heads, concat(kName, ": heads"));
    options_.key_value_heads =
        resolve_extent<KeyValueHeads>(options.key_value_heads, concat(kName, ": key_value_heads"));
    options_.head_dim = resolve_extent<HeadDim>(options.head_dim, concat(kName, ": head_dim"));
    expect_attention_heads(kName, options_.heads, options_.key_value_heads, options_.head_dim);
    options_.threshold.sigmoid_beta = 10;
    if (Aggregates == PNAAggregates::mean_max_variance_min) options_.threshold.softplus_beta = 10;
    validate_pna_attention(kName, Aggregates, options_);
    make_aggregator_mlps();
    if (options.learnable_threshold) {
      threshold.emplace(Shape<>());
      fill_constant(*threshold, static_cast<T>(options.threshold_value));
    }
    fill_constant(residual_epsilon, static_cast<T>(options.residual_epsilon_uniform_value));
  }

  /// \param x         [batch, tokens, hidden], already normalised
  /// \param inputs    rotary tables, masks, cache; without any mask the layer is causal
  /// \param residual  [batch, tokens, hidden], added to the result, or `none`
  /// \return          [batch, tokens, hidden]
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const AttentionInputs<T>& inputs,
                  const Residual& residual = none) const {
    return attend(context, x, inputs, residual, next_dropout(context));
  }

  /// The output, and the weights a, after dropout and before the threshold mode, [batch, heads, tokens, tokens], as a result
  /// through which gradients flow. With a cache, the rows of the new tokens, [batch, heads, new tokens, cached + new tokens].
  template <class Context, class X, class Residual = None>
  auto with_weights(Context& context, const X& x, const AttentionInputs<T>& inputs,
                    const Residual& residual = none) const {
    const auto dropout = next_dropout(context);
    const auto weights = dense_weights(context, x, inputs, dropout);
    return AttentionResult{attend(context, x, inputs, residual, dropout), weights};
  }

  /// The weights a of the layer, before the threshold mode (GIN attention gives those after it).
  template <class Context, class X>
  auto attention_weights(Context& context, const X& x, const AttentionInputs<T>& inputs) const {
    return dense_weights(context, x, inputs, next_dropout(context));
  }

  /// P = mode(a) for weights that are there as a tensor, [..., rows, keys] (process_adjacency_with_modes of the reference).
  template <class Context, class Weights>
  auto processed(Context& context, const Weights& weights) const {
    if (threshold) return process_adjacency(context, weights, options_.threshold, *threshold);
    return process_adjacency(context, weights, options_.threshold, options_.threshold_value);
  }

  /// Whether tokens can be added one at a time with a cache: not where a row of the adjacency depends on later tokens.
  bool incremental() const { return is_incremental(options_.threshold.mode) && !options_.pna_lm_negative_threshold; }

  /// Whether the weights that it gives are bare scores, the mask among them (quirk A23).
  bool gives_scores() const { return weights_kind() == AdjacencyWeights::raw; }

  void initialize(Rng& rng, double standard_deviation) {
    q_proj.initialize(rng, standard_deviation);
    k_proj.initialize(rng, standard_deviation);
    v_proj.initialize(rng, standard_deviation);
    o_proj.initialize(rng, standard_deviation);
    for (auto& layer : aggregator_mlps_0) layer.initialize(rng, standard_deviation);
    for (auto& layer : aggregator_mlps_2) layer.initialize(rng, standard_deviation);
  }

  Index head_dim() const { return options_.head_dim; }
  Index key_width() const { return options_.key_value_heads * options_.head_dim; }
  Index value_width() const { return key_width(); }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.q_proj, visit, prefix + "q_proj.");
    for_each_parameter(self.k_proj, visit, prefix + "k_proj.");
    for_each_parameter(self.v_proj, visit, prefix + "v_proj.");
    for_each_parameter(self.o_proj, visit, prefix + "o_proj.");
    for (std::size_t head = 0; head < self.aggregator_mlps_0.size(); ++head) {
      First::visit_values(self.aggregator_mlps_0[head], visit, concat(prefix, "aggregator_mlps.", head, ".0."));
      Second::visit_values(self.aggregator_mlps_2[head], visit, concat(prefix, "aggregator_mlps.", head, ".2."));
    }
    if (self.threshold) visit(ParameterName(prefix + "threshold.0"), *self.threshold);
    visit(ParameterName(prefix + "residual_epsilon.0"), self.residual_epsilon);
  }

 private:
  template <class X>
  using FeatureShape = ReplaceAxis<ShapeOf<X>, 2, Dyn>;

  void make_aggregator_mlps() {
    const auto hidden = static_cast<Index>(options_.multiplier * static_cast<double>(options_.head_dim));
    for (Index head = 0; head < options_.heads; ++head) {
      aggregator_mlps_0.emplace_back(options_.mlp_bias, 4 * options_.head_dim, hidden);
      aggregator_mlps_2.emplace_back(options_.mlp_bias, hidden, options_.head_dim);
    }
  }

  PNAAttentionRules rules() const {
    return {Aggregates, options_.pna_max, options_.pna_empty_max, options_.pna_lm_fallback,
            options_.pna_lm_negative_threshold};
  }

  /// The dropout of the next call.
  template <class Context>
  std::optional<DropoutMask> next_dropout(Context& context) const {
    return next_dropout_mask(context, options_.attention_dropout, kName);
  }

  template <class Context, class X, class Residual>
  auto attend(Context& context, const X& x, const AttentionInputs<T>& inputs, const Residual& residual,
              const std::optional<DropoutMask>& dropout) const {
    refuse_unsupported(inputs);
    const auto v = remembered_values(context, v_proj(context, x), inputs.cache);
    const auto features = visit_adjacency(context, x, inputs, options_.threshold, dropout, [&](const auto& source) {
      return pna_attention<FeatureShape<X>>(context, source, v, rules());
    });
    const auto hidden = silu(context, grouped_linear(context, features, aggregator_mlps_0));
    return o_proj(context, grouped_linear<kQueryWidth>(context, hidden, aggregator_mlps_2), residual);
  }

  template <class Context, class X>
  auto dense_weights(Context& context, const X& x, const AttentionInputs<T>& inputs,
                     const std::optional<DropoutMask>& dropout) const {
    refuse_unsupported(inputs);
    return visit_adjacency(context, x, inputs, ThresholdOptions{}, dropout, [&](const auto& source) {
      return adjacency_weights<AdjacencyShape<Context, X>>(context, source);
    });
  }

  void refuse_unsupported(const AttentionInputs<T>& inputs) const {
    if (inputs.cache && !incremental()) {
      fail(concat(kName,
                  ": threshold mode \"top_k\" and a negative threshold look at later tokens; decode without a cache"));
    }
    if (inputs.first_key != nullptr && options_.pna_lm_negative_threshold) {
      fail(concat(kName, ": a negative threshold would select tokens of other packed sequences"));
    }
  }

  AdjacencyWeights weights_kind() const {
    if (options_.use_softmax) return AdjacencyWeights::softmax;
    const bool rectified = Aggregates == PNAAggregates::mean_max_variance_min || options_.use_ReLU_instead_of_softmax;
    return rectified ? AdjacencyWeights::relu : AdjacencyWeights::raw;
  }

  template <class X>
  AdjacencyOptions<T> adjacency_options(AttentionInputs<T> inputs, const ThresholdOptions& mode,
                                        const std::optional<DropoutMask>& dropout, const X& x, Index keys) const {
    AdjacencyOptions<T> options;
    // The reference takes -1e9 where it has to make the mask itself, and the smallest number otherwise.
    if (!inputs.masked()) options.later = T(-1e9);
    if (inputs.additive_mask.data() == nullptr) inputs.causal = true;
    const AttentionHeads heads{options_.heads, options_.key_value_heads,
                               1 / std::sqrt(static_cast<double>(options_.head_dim)), 1 / options_.softmax_temperature,
                               dropout};
    options.attention = detail::attention_options(inputs, heads, x.extent(0), x.extent(1), keys);
    options.rules.weights = weights_kind();
    options.rules.threshold = mode;
    options.threshold = options_.threshold_value;
    return options;
  }

  /// Calls `body` with the adjacency under a threshold mode. New keys go to the cache, if there is one.
  template <class Context, class X, class Body>
  auto visit_adjacency(Context& context, const X& x, const AttentionInputs<T>& inputs, const ThresholdOptions& mode,
                       const std::optional<DropoutMask>& dropout, Body&& body) const {
    const auto q = rotary_embedding_in_place(context, q_proj(context, x), inputs.cos, inputs.sin, options_.heads);
    const auto k =
        rotary_embedding_in_place(context, k_proj(context, x), inputs.cos, inputs.sin, options_.key_value_heads);
    const auto keys = remembered_keys(context, k, inputs.cache);
    const auto options = adjacency_options(inputs, mode, dropout, x, keys.tokens);
    return body(pair_adjacency(context, rows_operand(context, q), keys, options, none, threshold));
  }

  LlamaAttentionPNAOptions options_;
};

/// Sum, mean, maximum and variance of the neighbours (LlamaAttentionPNA).
template <auto HiddenSize, auto Heads, auto KeyValueHeads = Heads, auto HeadDim = divide_extents<HiddenSize, Heads>(),
          auto MLPHiddenDim = Dyn, class T = float, class DeviceType = Cpu>
using LlamaAttentionPNA = BasicLlamaAttentionPNA<PNAAggregates::sum_mean_max_variance, HiddenSize, Heads, KeyValueHeads,
                                                 HeadDim, MLPHiddenDim, T, DeviceType>;

/// Mean, longest neighbour, variance and shortest neighbour (LlamaAttentionPNA_LM); neighbours are those whose entry exceeds
/// the threshold, whatever the mode.
template <auto HiddenSize, auto Heads, auto KeyValueHeads = Heads, auto HeadDim = divide_extents<HiddenSize, Heads>(),
          auto MLPHiddenDim = Dyn, class T = float, class DeviceType = Cpu>
using LlamaAttentionPNA_LM = BasicLlamaAttentionPNA<PNAAggregates::mean_max_variance_min, HiddenSize, Heads,
                                                    KeyValueHeads, HeadDim, MLPHiddenDim, T, DeviceType>;

}  // namespace weft
