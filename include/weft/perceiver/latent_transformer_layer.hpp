// SPDX-License-Identifier: Apache-2.0
/// \file
/// A pre-norm transformer layer on latents.
#pragma once

#include "weft/layers/dropout.hpp"
#include "weft/layers/layer_norm.hpp"
#include "weft/ops/activation/activation.hpp"
#include "weft/ops/add/add.hpp"
#include "weft/ops/attention/attention_weights.hpp"
#include "weft/perceiver/cross_attention_layer.hpp"

namespace weft {

/// x ← x + self_attn(LN₁ x);  x ← x + dropout(W₂ gelu(W₀ LN₂ x + b₀) + b₂), with the exact GELU.
/// Parameters: `self_attn.*`, `norm1.*`, `norm2.*`, `mlp.0.{weight [4 dim, dim], bias}`,
/// `mlp.2.{weight [dim, 4 dim], bias}`.
///
/// \tparam Attention  CrossAttention (LatentTransformerLayer) or CrossAttentionPlus (LatentTransformerLayerPlus)
template <auto Dim, auto Heads, auto HeadDim, class T, class DeviceType, class Attention>
class BasicLatentTransformerLayer {
  static constexpr auto kInner = multiply_extents<4, Dim>();

 public:
  Attention self_attn;
  LayerNorm<Dim, T, DeviceType> norm1;
  LayerNorm<Dim, T, DeviceType> norm2;
  Linear<Dim, kInner, T, DeviceType> mlp0;
  Linear<kInner, Dim, T, DeviceType> mlp2;

  explicit BasicLatentTransformerLayer(const CrossAttentionLayerOptions& options = {})
      : self_attn(options),
        norm1(1e-5, options.dim),
        norm2(1e-5, options.dim),
        mlp0(true, options.dim, 4 * options.dim),
        mlp2(true, 4 * options.dim, options.dim),
        dropout_(options.dropout) {}

  /// \param x     [batch, tokens, dim]
  /// \param mask  of tokens against tokens: `causal`, and whatever else hides keys
  /// \return      the shape of x
  template <class Context, class X>
  auto operator()(Context& context, const X& x, const kernels::CrossAttentionMask<T>& mask) const {
    const auto normed = norm1(context, x);
    return feed_forward(context, self_attn(context, normed, normed, normed, mask, x));
  }

  /// The weights of the causal self-attention, [batch, heads, tokens, tokens], with a derivative.
  template <class Context, class X>
  auto causal_weights(Context& context, const X& x) const {
    const auto normed = norm1(context, x);
    AttentionOptions<T> options;
    options.heads = self_attn.heads();
    options.kv_heads = self_attn.heads();
    options.scale = self_attn.scale();
    options.mask.causal = true;
    const auto q = self_attn.to_q(context, normed);
    const auto k = self_attn.to_k(context, normed);
    return dropout_(context, attention_weights(context, q, k, options));
  }

  void initialize(Rng& rng, double standard_deviation) {
    self_attn.initialize(rng, standard_deviation);
    mlp0.initialize(rng, standard_deviation);
    mlp2.initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.self_attn, visit, prefix + "self_attn.");
    for_each_parameter(self.norm1, visit, prefix + "norm1.");
    for_each_parameter(self.norm2, visit, prefix + "norm2.");
    for_each_parameter(self.mlp0, visit, prefix + "mlp.0.");
    for_each_parameter(self.mlp2, visit, prefix + "mlp.2.");
  }

 private:
  template <class Context, class X>
  auto feed_forward(Context& context, const X& x) const {
    const auto inner = gelu(context, mlp0(context, norm2(context, x)));
    if (!self_attn.drops(context)) return mlp2(context, inner, x);
    return add(context, dropout_(context, mlp2(context, inner)), x);
  }

  Dropout dropout_;
};

/// LatentTransformerLayer of the reference.
template <auto Dim, auto Heads, auto HeadDim, class T = float, class DeviceType = Cpu>
using LatentTransformerLayer =
    BasicLatentTransformerLayer<Dim, Heads, HeadDim, T, DeviceType, CrossAttention<Dim, Heads, HeadDim, T, DeviceType>>;

/// LatentTransformerLayerPlus of the reference: the same, around CrossAttentionPlus.
template <auto Dim, auto Heads, auto HeadDim, class T = float, class DeviceType = Cpu>
using LatentTransformerLayerPlus = BasicLatentTransformerLayer<Dim, Heads, HeadDim, T, DeviceType,
                                                               CrossAttentionPlus<Dim, Heads, HeadDim, T, DeviceType>>;

}  // namespace weft
