// SPDX-License-Identifier: Apache-2.0
/// \file
/// Attention as a graph: the softmax weights are an adjacency on which each head runs a graph isomorphism network.
#pragma once

#include <cmath>
#include <optional>

#include "weft/attention/attention_inputs.hpp"
#include "weft/attention/attention_result.hpp"
#include "weft/attention/cached_attention.hpp"
#include "weft/attention/gin_layer.hpp"
#include "weft/attention/sharpening_init.hpp"
#include "weft/layers/linear.hpp"
#include "weft/ops/rotary/rotary.hpp"

namespace weft {

/// The run-time choices of `LlamaAttentionGIN`; names after the reference's `GNNConfig`. Extents are needed only where
/// the type leaves them `Dyn`.
struct LlamaAttentionGINOptions {
  bool bias = false;           ///< `attention_bias`: on q_proj, k_proj and o_proj
  bool o_proj_at_end = false;  ///< `attention_GIN_MLP_o_proj_at_end`
  double multiplier = 2;       ///< `attention_GIN_MLP_multiplier`: hidden width of each GIN, int(multiplier * head_dim)
  double attention_dropout = 0;    ///< share of the weights that training drops, on a tape with dropout switched on
  double softmax_temperature = 1;  ///< `attention_GIN_MLP_GIN_softmax_temperature`: divides the masked scores
  bool use_sharpening = false;     ///< a learned factor on the masked scores
  SharpeningInit sharpening_init = SharpeningInit::value;
  double initial_sharpening_value = 1;
  double residual_epsilon_uniform_value = 0.1;  ///< first value of a parameter that the reference never reads
  bool learnable_threshold = false;             ///< `threshold.0` is stored, for checkpoints that have it; unused here
  double threshold_value = 0.2;
  GINUpdateOptions gin{};
  Index hidden_size = 0;
  Index heads = 0;
  Index key_value_heads = 0;
  Index head_dim = 0;
};

/// For every head: A = softmax((q kᵀ / sqrt(head_dim) + mask) α / τ), then a GINLayer on the head's slice of the layer's
/// own input (there is no v_proj), heads concatenated, optionally projected (LlamaAttentionGIN, softmax adjacency).
/// A is never stored. Needs key_value_heads * head_dim == hidden_size (quirk A8).
/// Parameters: `q_proj`, `k_proj`, `o_proj` (optional), `sharpening_parameters.0` (optional), `gin_layers.{head}.*`, and
/// those that the reference carries but does not use in this mode: `threshold.0` (optional), `residual_epsilon.0`,
/// `rmsnorm.weight`.
template <auto HiddenSize, auto Heads, auto KeyValueHeads = Heads, auto HeadDim = divide_extents<HiddenSize, Heads>(),
          auto GINHiddenDim = Dyn, class T = float, class DeviceType = Cpu>
class LlamaAttentionGIN {
  static constexpr auto kQueryWidth = multiply_extents<Heads, HeadDim>();
  static constexpr auto kKeyWidth = multiply_extents<KeyValueHeads, HeadDim>();
  static_assert(
      SameExtent<kKeyWidth, HiddenSize>,
      "LlamaAttentionGIN: key_value_heads * head_dim must equal hidden_size, because the values are slices of the "
      "input");

 public:
  Linear<HiddenSize, kQueryWidth, T, DeviceType> q_proj;
  Linear<HiddenSize, kKeyWidth, T, DeviceType> k_proj;
  std::optional<Linear<kQueryWidth, HiddenSize, T, DeviceType>> o_proj;
  std::optional<Parameter<T, Shape<>, DeviceType>> sharpening;             ///< where initialised with a value
  std::optional<Parameter<T, Shape<1>, DeviceType>> sharpening_random;     ///< where initialised at random
  std::vector<GINLayer<HeadDim, GINHiddenDim, T, DeviceType>> gin_layers;  ///< one for each head
  std::optional<Parameter<T, Shape<>, DeviceType>> threshold;
  Parameter<T, Shape<>, DeviceType> residual_epsilon;
  Parameter<T, Shape<>, DeviceType> rmsnorm_weight;

  explicit LlamaAttentionGIN(const LlamaAttentionGINOptions& options = {})
      : q_proj(options.bias, options.hidden_size, options.heads * options.head_dim),
        k_proj(options.bias, options.hidden_size, options.key_value_heads * options.head_dim),
        residual_epsilon(Shape<>()),
        rmsnorm_weight(Shape<>()),
        options_(options) {
    options_.heads = resolve_extent<Heads>(options.heads, "LlamaAttentionGIN: heads");
    options_.key_value_heads =
        resolve_extent<KeyValueHeads>(options.key_value_heads, "LlamaAttentionGIN: key_value_heads");
    options_.head_dim = resolve_extent<HeadDim>(options.head_dim, "LlamaAttentionGIN: head_dim");
    options_.hidden_size = resolve_extent<HiddenSize>(options.hidden_size, "LlamaAttentionGIN: hidden_size");
    if (key_width() != options_.hidden_size) {
      fail(concat(
          "LlamaAttentionGIN: key_value_heads * head_dim must equal hidden_size, because the values are slices of "
          "the input, found ",
          options_.key_value_heads, " * ", options_.head_dim, " and ", options_.hidden_size));
    }
    if (options.o_proj_at_end) o_proj.emplace(options.bias, options.heads * options.head_dim, options.hidden_size);
    if (options.use_sharpening) make_sharpening();
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
    const auto [q, k] = queries_and_keys(context, x, inputs);
    const AttentionHeads shared = heads(context);
    return update(context, x, aggregate(context, q, k, x, inputs, shared), residual);
  }

  /// The result of the call and its adjacency (after dropout), for layers that work on the graph. Memory grows with the
  /// square of the tokens.
  template <class Context, class X, class Residual = None>
  auto with_weights(Context& context, const X& x, const AttentionInputs<T>& inputs,
                    const Residual& residual = none) const {
    const auto [q, k] = queries_and_keys(context, x, inputs);
    const AttentionHeads shared = heads(context);
    const auto output = update(context, x, aggregate(context, q, k, x, inputs, shared), residual);
    return AttentionResult{output, adjacency(context, q, k, inputs, shared)};
  }

  /// The adjacency of the layer, [batch, heads, tokens, tokens]: for plots and inspection.
  template <class X>
  auto attention_weights(Inference& context, const X& x, const AttentionInputs<T>& inputs) const {
    const auto [q, k] = queries_and_keys(context, x, inputs);
    return adjacency(context, q, k, inputs, heads(context));
  }

  void initialize(Rng& rng, double standard_deviation) {
    q_proj.initialize(rng, standard_deviation);
    k_proj.initialize(rng, standard_deviation);
    if (o_proj) o_proj->initialize(rng, standard_deviation);
    if (sharpening_random) fill_constant(*sharpening_random, static_cast<T>(0.5F + rng.next_stream().uniform(0)));
    for (auto& layer : gin_layers) layer.initialize(rng, standard_deviation);
  }

  Index head_dim() const { return options_.head_dim; }
  Index key_width() const { return options_.key_value_heads * options_.head_dim; }
  Index value_width() const { return key_width(); }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.q_proj, visit, prefix + "q_proj.");
    for_each_parameter(self.k_proj, visit, prefix + "k_proj.");
    if (self.sharpening) visit(ParameterName(prefix + "sharpening_parameters.0"), *self.sharpening);
    if (self.sharpening_random) visit(ParameterName(prefix + "sharpening_parameters.0"), *self.sharpening_random);
    if (self.o_proj) for_each_parameter(*self.o_proj, visit, prefix + "o_proj.");
    for (std::size_t head = 0; head < self.gin_layers.size(); ++head) {
      for_each_parameter(self.gin_layers[head], visit, concat(prefix, "gin_layers.", head, "."));
    }
    if (self.threshold) visit(ParameterName(prefix + "threshold.0"), *self.threshold);
    visit(ParameterName(prefix + "residual_epsilon.0"), self.residual_epsilon);
    visit(ParameterName(prefix + "rmsnorm.weight"), self.rmsnorm_weight);
  }

 private:
  void make_sharpening() {
    if (options_.sharpening_init == SharpeningInit::value) {
      sharpening.emplace(Shape<>());
      fill_constant(*sharpening, static_cast<T>(options_.initial_sharpening_value));
    } else {
      sharpening_random.emplace(Shape<1>());
      fill_constant(*sharpening_random, T{1});
    }
  }

  /// The reference masks with -1e9 above the diagonal when it is given no mask; those weights are exactly 0.
  static AttentionInputs<T> causal_by_default(AttentionInputs<T> inputs) {
    if (inputs.additive_mask == nullptr) inputs.causal = true;
    return inputs;
  }

  /// One type for the results with and without o_proj, which is a run-time choice.
  template <class Y>
  static auto as_output(const Y& y) {
    constexpr auto width = [] {
      if constexpr (std::is_same_v<Shape<kQueryWidth>, Shape<HiddenSize>>) {
        return HiddenSize;
      } else {
        return Dyn;
      }
    }();
    return y.reshape(ReplaceAxis<ShapeOf<Y>, ShapeOf<Y>::rank - 1, width>::from(y.shape().extents()));
  }

  template <class Context, class X>
  auto queries_and_keys(Context& context, const X& x, const AttentionInputs<T>& inputs) const {
    const auto q = rotary_embedding_in_place(context, q_proj(context, x), inputs.cos, inputs.sin, options_.heads);
    const auto k =
        rotary_embedding_in_place(context, k_proj(context, x), inputs.cos, inputs.sin, options_.key_value_heads);
    return std::pair(q, k);
  }

  /// A x for every head, by streaming: A is not stored.
  template <class Context, class Q, class K, class X>
  auto aggregate(Context& context, const Q& q, const K& k, const X& x, const AttentionInputs<T>& inputs,
                 const AttentionHeads& shared) const {
    return with_sharpness(
        [&](const auto& alpha) { return attend(context, q, k, x, alpha, causal_by_default(inputs), shared); });
  }

  /// A itself.
  template <class Context, class Q, class K>
  auto adjacency(Context& context, const Q& q, const K& k, const AttentionInputs<T>& inputs,
                 const AttentionHeads& shared) const {
    return with_sharpness([&](const auto& alpha) {
      return dense_attention_weights(context, q, k, alpha, causal_by_default(inputs), shared);
    });
  }

  template <class Body>
  auto with_sharpness(Body&& body) const {
    return sharpening ? body(*sharpening) : sharpening_random ? body(*sharpening_random) : body(none);
  }

  /// The heads' networks on what they have gathered.
  template <class Context, class X, class Aggregated, class Residual>
  auto update(Context& context, const X& x, const Aggregated& aggregated, const Residual& residual) const {
    if (o_proj) {
      return as_output((*o_proj)(context, gin_update(context, x, aggregated, gin_layers, options_.gin), residual));
    }
    return as_output(gin_update(context, x, aggregated, gin_layers, options_.gin, residual));
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
