// SPDX-License-Identifier: Apache-2.0
/// \file
/// The attention of Llama: grouped-query heads with rotary positions.
#pragma once

#include <cmath>

#include "weft/attention/attention_inputs.hpp"
#include "weft/attention/attention_result.hpp"
#include "weft/attention/cached_attention.hpp"
#include "weft/layers/extent_rules.hpp"
#include "weft/layers/linear.hpp"
#include "weft/ops/rotary/rotary.hpp"

namespace weft {

/// The run-time choices of `LlamaAttention`. Extents are needed only where the type leaves them `Dyn`.
struct LlamaAttentionOptions {
  bool bias = false;             ///< biases on all four projections (`attention_bias`)
  double attention_dropout = 0;  ///< share of the weights that training drops, on a tape with dropout switched on
  Index hidden_size = 0;
  Index heads = 0;
  Index key_value_heads = 0;
  Index head_dim = 0;
};

/// softmax(q kᵀ / sqrt(head_dim) + mask) v, per head, then an output projection (LlamaAttention, eager form).
/// Each of the `KeyValueHeads` serves Heads / KeyValueHeads query heads (Ainslie et al., arXiv 2305.13245).
/// Parameters: `q_proj`, `k_proj`, `v_proj`, `o_proj`.
template <auto HiddenSize, auto Heads, auto KeyValueHeads = Heads, auto HeadDim = divide_extents<HiddenSize, Heads>(),
          class T = float, class DeviceType = Cpu>
class LlamaAttention {
  static_assert(MultipleOf<Heads, KeyValueHeads>, "LlamaAttention: key_value_heads must divide heads");
  static_assert(MultipleOf<HeadDim, 2>,
                "LlamaAttention: head_dim must be even, because the rotary embedding turns pairs");
  static constexpr auto kQueryWidth = multiply_extents<Heads, HeadDim>();
  static constexpr auto kKeyWidth = multiply_extents<KeyValueHeads, HeadDim>();

 public:
  Linear<HiddenSize, kQueryWidth, T, DeviceType> q_proj;
  Linear<HiddenSize, kKeyWidth, T, DeviceType> k_proj;
  Linear<HiddenSize, kKeyWidth, T, DeviceType> v_proj;
  Linear<kQueryWidth, HiddenSize, T, DeviceType> o_proj;

  explicit LlamaAttention(const LlamaAttentionOptions& options = {})
      : q_proj(options.bias, options.hidden_size, options.heads * options.head_dim),
        k_proj(options.bias, options.hidden_size, options.key_value_heads * options.head_dim),
        v_proj(options.bias, options.hidden_size, options.key_value_heads * options.head_dim),
        o_proj(options.bias, options.heads * options.head_dim, options.hidden_size),
        attention_dropout_(options.attention_dropout),
        heads_(resolve_extent<Heads>(options.heads, "LlamaAttention: heads")),
        key_value_heads_(resolve_extent<KeyValueHeads>(options.key_value_heads, "LlamaAttention: key_value_heads")),
        head_dim_(resolve_extent<HeadDim>(options.head_dim, "LlamaAttention: head_dim")) {
    expect_attention_heads("LlamaAttention", heads_, key_value_heads_, head_dim_);
  }

  /// \param x         [batch, tokens, hidden], already normalised
  /// \param inputs    rotary tables, masks, cache
  /// \param residual  [batch, tokens, hidden], added to the result, or `none`
  /// \return          [batch, tokens, hidden]
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const AttentionInputs<T>& inputs,
                  const Residual& residual = none) const {
    const auto q = rotary_embedding_in_place(context, q_proj(context, x), inputs.cos, inputs.sin, heads_);
    const auto k = rotary_embedding_in_place(context, k_proj(context, x), inputs.cos, inputs.sin, key_value_heads_);
    const auto v = v_proj(context, x);
    return o_proj(context, attend(context, q, k, v, none, inputs, heads(context)), residual);
  }

  /// The result of the call and its weights (after dropout), for layers that see them as a graph. Memory grows with the square
  /// of the tokens.
  template <class Context, class X, class Residual = None>
  auto with_weights(Context& context, const X& x, const AttentionInputs<T>& inputs,
                    const Residual& residual = none) const {
    return with(context, x, inputs, residual, [&](const auto& q, const auto& k, const AttentionHeads& shared) {
      return dense_attention_weights(context, q, k, none, inputs, shared);
    });
  }

  /// Whether `with_diagonal` can be called.
  static bool has_diagonal() { return true; }

  /// The result of the call and the diagonal of its weights, [batch, heads, tokens, 1], for graphs that have no other entries.
  /// No array of tokens x tokens is made.
  template <class Context, class X, class Residual = None>
  auto with_diagonal(Context& context, const X& x, const AttentionInputs<T>& inputs,
                     const Residual& residual = none) const {
    return with(context, x, inputs, residual, [&](const auto& q, const auto& k, const AttentionHeads& shared) {
      return diagonal_attention_weights(context, q, k, none, inputs, shared);
    });
  }

  /// The adjacency of the layer, [batch, heads, tokens, tokens]: for plots and inspection.
  template <class X>
  auto attention_weights(Inference& context, const X& x, const AttentionInputs<T>& inputs) const {
    return with_weights(context, x, inputs).weights;
  }

  void initialize(Rng& rng, double standard_deviation) {
    q_proj.initialize(rng, standard_deviation);
    k_proj.initialize(rng, standard_deviation);
    v_proj.initialize(rng, standard_deviation);
    o_proj.initialize(rng, standard_deviation);
  }

  Index head_dim() const { return head_dim_; }
  Index key_width() const { return key_value_heads_ * head_dim_; }
  Index value_width() const { return key_value_heads_ * head_dim_; }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.q_proj, visit, prefix + "q_proj.");
    for_each_parameter(self.k_proj, visit, prefix + "k_proj.");
    for_each_parameter(self.v_proj, visit, prefix + "v_proj.");
    for_each_parameter(self.o_proj, visit, prefix + "o_proj.");
  }

 private:
  /// The result of the call, and what `weigh` makes of its queries and keys.
  template <class Context, class X, class Residual, class Weigh>
  auto with(Context& context, const X& x, const AttentionInputs<T>& inputs, const Residual& residual,
            Weigh&& weigh) const {
    const auto q = rotary_embedding_in_place(context, q_proj(context, x), inputs.cos, inputs.sin, heads_);
    const auto k = rotary_embedding_in_place(context, k_proj(context, x), inputs.cos, inputs.sin, key_value_heads_);
    const auto v = v_proj(context, x);
    const AttentionHeads shared = heads(context);
    const auto output = o_proj(context, attend(context, q, k, v, none, inputs, shared), residual);
    return AttentionResult{output, weigh(q, k, shared)};
  }

  /// With the dropout of the next call.
  template <class Context>
  AttentionHeads heads(Context& context) const {
    return {heads_, key_value_heads_, 1 / std::sqrt(static_cast<double>(head_dim_)), 1,
            next_dropout_mask(context, attention_dropout_, "LlamaAttention: attention_dropout")};
  }

  double attention_dropout_;
  Index heads_;
  Index key_value_heads_;
  Index head_dim_;
};

}  // namespace weft
