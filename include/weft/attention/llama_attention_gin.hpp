// SPDX-License-Identifier: Apache-2.0
/// \file
/// Attention as a graph: the softmax weights are an adjacency on which each head runs a graph isomorphism network.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "weft/attention/attention_result.hpp"
#include "weft/attention/cached_attention.hpp"
#include "weft/attention/gin_differential.hpp"
#include "weft/attention/gin_layer.hpp"
#include "weft/attention/gin_scoring.hpp"
#include "weft/attention/gin_sharpening.hpp"
#include "weft/attention/llama_attention_gin_options.hpp"
#include "weft/attention/remembered_rows.hpp"
#include "weft/ops/adjacency/aggregate_adjacency.hpp"
#include "weft/ops/rotary/rotary.hpp"

namespace weft {

/// For every head: an adjacency P, then a GINLayer on the head's slice of the layer's own input (there is no v_proj), heads
/// concatenated, optionally projected (LlamaAttentionGIN). P = mode(a) with a threshold mode, and one of
///
///     a = softmax((q kᵀ / sqrt(head_dim) + mask) α / τ), or the masked scores themselves
///     a = a₁ - λ a₂ of two such pairs, optionally with a group norm (differential attention)
///     a = softmax(scores of a network over pairs of tokens + mask)
///
/// P is never stored. Needs key_value_heads * head_dim == hidden_size (quirk A8).
/// Parameters: `q_proj`, `k_proj`, `o_proj` (optional), `sharpening_parameters.0` (optional), those of `GINDifferential`
/// and `GINScoring` (optional), `gin_layers.{head}.*`, `threshold.0` (optional), and two that the reference carries but never
/// uses: `residual_epsilon.0`, `rmsnorm.weight`.
/// \tparam Adjacency  `softmax` leaves out the code of every other choice, which costs a program a seventh to a quarter of
///                    its compile time
template <auto HiddenSize, auto Heads, auto KeyValueHeads = Heads, auto HeadDim = divide_extents<HiddenSize, Heads>(),
          auto GINHiddenDim = Dyn, class T = float, class DeviceType = Cpu, GINAdjacency Adjacency = GINAdjacency::any>
class LlamaAttentionGIN {
  static_assert(MultipleOf<Heads, KeyValueHeads>, "LlamaAttentionGIN: key_value_heads must divide heads");
  static_assert(MultipleOf<HeadDim, 2>,
                "LlamaAttentionGIN: head_dim must be even, because the rotary embedding turns pairs");
  static constexpr auto kQueryWidth = multiply_extents<Heads, HeadDim>();
  static constexpr auto kKeyWidth = multiply_extents<KeyValueHeads, HeadDim>();
  static constexpr auto kOutputWidth = common_extent<kQueryWidth, HiddenSize>();
  static constexpr bool kAnyAdjacency = Adjacency == GINAdjacency::any;
  template <class Part>
  using WhereAny = std::conditional_t<kAnyAdjacency, std::optional<Part>, None>;
  static_assert(
      SameExtent<kKeyWidth, HiddenSize>,
      "LlamaAttentionGIN: key_value_heads * head_dim must equal hidden_size, because the values are slices of the "
      "input");

 public:
  Linear<HiddenSize, kQueryWidth, T, DeviceType> q_proj;
  Linear<HiddenSize, kKeyWidth, T, DeviceType> k_proj;
  std::optional<Linear<kQueryWidth, HiddenSize, T, DeviceType>> o_proj;
  GINSharpening<T, DeviceType> sharpening;
  WhereAny<GINDifferential<HiddenSize, Heads, kQueryWidth, kKeyWidth, T, DeviceType>> differential;
  WhereAny<GINScoring<HiddenSize, Heads, T, DeviceType>> scoring;
  std::vector<GINLayer<HeadDim, GINHiddenDim, T, DeviceType>> gin_layers;  ///< one for each head
  std::optional<Parameter<T, Shape<>, DeviceType>> threshold;
  Parameter<T, Shape<>, DeviceType> residual_epsilon;
  Parameter<T, Shape<>, DeviceType> rmsnorm_weight;

  explicit LlamaAttentionGIN(const LlamaAttentionGINOptions& options = {})
      : q_proj(options.bias, options.hidden_size, options.heads * options.head_dim),
        k_proj(options.bias, options.hidden_size, options.key_value_heads * options.head_dim),
        sharpening(options.use_sharpening, options.sharpening_init, options.initial_sharpening_value),
        residual_epsilon(Shape<>()),
        rmsnorm_weight(Shape<>()),
        options_(resolve_gin_attention<HiddenSize, Heads, KeyValueHeads, HeadDim, Adjacency>(options)) {
    if (options.o_proj_at_end) o_proj.emplace(options.bias, options.heads * options.head_dim, options.hidden_size);
    if constexpr (kAnyAdjacency) add_other_adjacencies();
    if (options.learnable_threshold) {
      threshold.emplace(Shape<>());
      fill_constant(*threshold, static_cast<T>(options.threshold_value));
    }
    const auto gin_hidden = static_cast<Index>(options.multiplier * static_cast<double>(options_.head_dim));
    gin_layers.reserve(static_cast<std::size_t>(options_.heads));
    for (Index head = 0; head < options_.heads; ++head) {
      gin_layers.emplace_back(options.gin, options_.head_dim, gin_hidden);
    }
    fill_constant(residual_epsilon, static_cast<T>(options.residual_epsilon_uniform_value));
    fill_constant(rmsnorm_weight, T{1});
  }

  /// \param x         [batch, tokens, hidden], already normalised
  /// \param inputs    rotary tables, masks, cache; without any mask the layer is causal
  /// \param residual  added to the result, or `none`
  /// \return          [batch, tokens, heads * head_dim], or [batch, tokens, hidden] with o_proj
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const AttentionInputs<T>& inputs,
                  const Residual& residual = none) const {
    check(inputs);
    if constexpr (kAnyAdjacency) {
      if (!options_.is_plain()) {
        const auto aggregated = visit_adjacency(context, x, inputs, [&](const auto& source) {
          return aggregate_adjacency<AggregatedShape<X>>(context, source, remembered_values(context, x, inputs.cache));
        });
        return update(context, x, aggregated, residual);
      }
    }
    const auto q = rotated(context, x, q_proj, inputs, options_.heads);
    const auto k = rotated(context, x, k_proj, inputs, options_.key_value_heads);
    const auto aggregated =
        attend(context, q, k, x, sharpening.operand(context), detail::causal_by_default(inputs), heads(context));
    return update(context, x, aggregated, residual);
  }

  /// The output, and the processed adjacency P [batch, heads, tokens, tokens] as a result through which gradients flow. With a
  /// cache, the rows of the new tokens, [batch, heads, new tokens, cached + new tokens].
  template <class Context, class X, class Residual = None>
  auto with_weights(Context& context, const X& x, const AttentionInputs<T>& inputs,
                    const Residual& residual = none) const {
    check(inputs);
    using Weights = typename Context::template Result<T, AdjacencyShape<Context, X>>;
    Weights weights;
    const auto aggregated = visit_adjacency(context, x, inputs, [&](const auto& source) {
      weights = adjacency_weights<AdjacencyShape<Context, X>>(context, source);
      return aggregate_adjacency<AggregatedShape<X>>(context, source, remembered_values(context, x, inputs.cache));
    });
    const auto output = update(context, x, aggregated, residual);
    return AttentionResult<std::remove_const_t<decltype(output)>, Weights>{output, weights};
  }

  /// Whether `with_diagonal` can be called: where the adjacency is the softmax of scores and nothing more.
  bool has_diagonal() const { return options_.is_plain(); }

  /// The output, and the diagonal of the adjacency, [batch, heads, tokens, 1], for graphs that have no other entries. No array
  /// of tokens x tokens is made.
  template <class Context, class X, class Residual = None>
  auto with_diagonal(Context& context, const X& x, const AttentionInputs<T>& given,
                     const Residual& residual = none) const {
    if (!has_diagonal()) fail("LlamaAttentionGIN: the diagonal alone can be had of a plain softmax adjacency only");
    check(given);
    const AttentionInputs<T> inputs = detail::causal_by_default(given);
    const auto q = rotated(context, x, q_proj, inputs, options_.heads);
    const auto k = rotated(context, x, k_proj, inputs, options_.key_value_heads);
    const AttentionHeads shared = heads(context);
    const Operand<T> sharpness = sharpening.operand(context);
    const auto output = update(context, x, attend(context, q, k, x, sharpness, inputs, shared), residual);
    return AttentionResult{output, diagonal_attention_weights(context, q, k, sharpness, inputs, shared)};
  }

  /// The processed adjacency P of the layer, [batch, heads, tokens, tokens]: for plots and inspection.
  template <class X>
  auto attention_weights(Inference& context, const X& x, const AttentionInputs<T>& inputs) const {
    check(inputs);
    return visit_adjacency(context, x, inputs, [&](const auto& source) {
      return adjacency_weights<AdjacencyShape<Inference, X>>(context, source);
    });
  }

  /// The softmax of the scoring function's scores, before any threshold mode (compute_attn_weights of the reference; its
  /// variant for a single head is this one for a layer of one head).
  template <class Context, class X>
  auto scoring_weights(Context& context, const X& x, const AttentionInputs<T>& inputs) const {
    static_assert(kAnyAdjacency, "LlamaAttentionGIN: scoring_weights needs a type with GINAdjacency::any");
    if (!scoring) fail("LlamaAttentionGIN: scoring_weights needs use_scoring_fnct");
    auto options = adjacency_options(context, detail::causal_by_default(inputs), x, x.extent(1));
    options.rules.threshold = {};
    return adjacency_weights<AdjacencyShape<Context, X>>(context, scoring->adjacency(context, x, {}, options));
  }

  /// Whether tokens can be added one at a time with a cache: not where a row of the adjacency depends on later tokens, nor while
  /// a sharpening factor that is not positive lets it see them.
  bool incremental() const { return options_.incremental() && !sees_masked_keys(); }

  void initialize(Rng& rng, double standard_deviation) {
    q_proj.initialize(rng, standard_deviation);
    k_proj.initialize(rng, standard_deviation);
    if (o_proj) o_proj->initialize(rng, standard_deviation);
    if constexpr (kAnyAdjacency) {
      if (differential) differential->initialize(rng, standard_deviation);
      if (scoring) scoring->initialize(rng, standard_deviation);
    }
    sharpening.initialize(rng);
    for (auto& layer : gin_layers) layer.initialize(rng, standard_deviation);
  }

  Index head_dim() const { return options_.head_dim; }
  /// Of a cached row: the keys, both of them with differential attention, or what the scoring function makes of a token.
  Index key_width() const {
    if (options_.use_scoring_fnct) return options_.scoring_hidden_dim;
    return (options_.use_differential_attention ? 2 : 1) * value_width();
  }
  Index value_width() const { return options_.key_value_heads * options_.head_dim; }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.q_proj, visit, prefix + "q_proj.");
    for_each_parameter(self.k_proj, visit, prefix + "k_proj.");
    for_each_parameter(self.sharpening, visit, prefix);
    if constexpr (kAnyAdjacency) {
      if (self.differential) for_each_parameter(*self.differential, visit, prefix);
    }
    if (self.o_proj) for_each_parameter(*self.o_proj, visit, prefix + "o_proj.");
    for (std::size_t head = 0; head < self.gin_layers.size(); ++head) {
      for_each_parameter(self.gin_layers[head], visit, concat(prefix, "gin_layers.", head, "."));
    }
    if constexpr (kAnyAdjacency) {
      if (self.scoring) for_each_parameter(*self.scoring, visit, prefix);
    }
    if (self.threshold) visit(ParameterName(prefix + "threshold.0"), *self.threshold);
    visit(ParameterName(prefix + "residual_epsilon.0"), self.residual_epsilon);
    visit(ParameterName(prefix + "rmsnorm.weight"), self.rmsnorm_weight);
  }

 private:
  bool sees_masked_keys() const {
    return options_.use_softmax && !options_.use_scoring_fnct && !options_.mask_after_scaling &&
           sharpening.turns_masks();
  }

  void check(const AttentionInputs<T>& inputs) const {
    refuse_unsupported(options_, inputs);
    if (inputs.cache && sees_masked_keys()) {
      fail(
          "LlamaAttentionGIN: a sharpening factor that is not positive turns masks round (quirk A11), and tokens see "
          "later "
          "ones; decode without a cache, or mask after scaling");
    }
  }

  template <class X>
  using AggregatedShape = ReplaceAxis<ShapeOf<X>, 2, kQueryWidth>;

  void add_other_adjacencies() {
    if (options_.use_differential_attention) {
      differential.emplace(options_.bias, options_.differential_group_norm, options_.lambda_init(),
                           options_.hidden_size, options_.heads, options_.heads * options_.head_dim, value_width());
    }
    if (options_.use_scoring_fnct) {
      scoring.emplace(options_.hidden_size, options_.heads, options_.scoring_hidden_dim);
    }
  }

  template <class Context, class X, class Projection>
  static auto rotated(Context& context, const X& x, const Projection& projection, const AttentionInputs<T>& inputs,
                      Index heads) {
    return rotary_embedding_in_place(context, projection(context, x), inputs.cos, inputs.sin, heads);
  }

  template <class Context, class X>
  AdjacencyOptions<T> adjacency_options(Context& context, const AttentionInputs<T>& inputs, const X& x,
                                        Index keys) const {
    AdjacencyOptions<T> options;
    options.attention = detail::attention_options(inputs, heads(context), x.extent(0), x.extent(1), keys);
    options.rules = options_.adjacency_rules();
    options.threshold = options_.threshold_value;
    return options;
  }

  /// Calls `body` with the source of the processed adjacency. New keys go to the cache, if there is one.
  template <class Context, class X, class Body>
  auto visit_adjacency(Context& context, const X& x, const AttentionInputs<T>& given, Body&& body) const {
    const AttentionInputs<T> inputs = detail::causal_by_default(given);
    const Index past = inputs.cache && !Context::records ? inputs.cache.length : 0;
    auto options = adjacency_options(context, inputs, x, past + x.extent(1));
    // Raw scores may keep the penalty: the reference takes -1e9 where it has to make the mask itself.
    const bool own_mask = !given.masked();
    if (own_mask) options.later = T(-1e9);
    if constexpr (kAnyAdjacency) {
      if (scoring) return body(scoring->adjacency(context, x, inputs.cache, options, threshold));
    }
    const auto q = rows_operand(context, rotated(context, x, q_proj, inputs, options_.heads));
    const auto k =
        remembered_keys(context, rotated(context, x, k_proj, inputs, options_.key_value_heads), inputs.cache);
    if constexpr (kAnyAdjacency) {
      if (differential) return body(difference(context, x, inputs, q, k, options));
    }
    return body(pair_adjacency(context, q, k, options, sharpening.operand(context), threshold));
  }

  /// The adjacency q and k less that of the second pair.
  template <class Context, class X>
  auto difference(Context& context, const X& x, const AttentionInputs<T>& inputs, const RowsOperand<T>& q,
                  const RowsOperand<T>& k, const AdjacencyOptions<T>& options) const {
    const auto q2 = rows_operand(context, rotated(context, x, differential->q_proj_2, inputs, options_.heads));
    const auto k2 =
        remembered_keys(context, rotated(context, x, differential->k_proj_2, inputs, options_.key_value_heads),
                        inputs.cache, value_width());
    const double norm_scale = options_.use_softmax ? 1 - options_.lambda_init() : 0;
    return differential->adjacency(context, q, k, q2, k2, options, sharpening.operand(context), threshold, norm_scale);
  }

  /// The GIN layers of all heads, then the projection where there is one.
  template <class Context, class X, class Aggregated, class Residual>
  auto update(Context& context, const X& x, const Aggregated& aggregated, const Residual& residual) const {
    if (o_proj) {
      return as_output((*o_proj)(context, gin_update(context, x, aggregated, gin_layers, options_.gin), residual));
    }
    return as_output(gin_update(context, x, aggregated, gin_layers, options_.gin, residual));
  }

  /// One type for the results with and without o_proj, which is a run-time choice.
  template <class Y>
  static auto as_output(const Y& y) {
    return y.reshape(ReplaceAxis<ShapeOf<Y>, ShapeOf<Y>::rank - 1, kOutputWidth>::from(y.shape().extents()));
  }

  /// With the dropout of the next call.
  template <class Context>
  AttentionHeads heads(Context& context) const {
    return {options_.heads, options_.key_value_heads, 1 / std::sqrt(static_cast<double>(options_.head_dim)),
            1 / options_.softmax_temperature,
            next_dropout_mask(context, options_.attention_dropout, "LlamaAttentionGIN: attention_dropout")};
  }

  LlamaAttentionGINOptions options_;
};

}  // namespace weft
