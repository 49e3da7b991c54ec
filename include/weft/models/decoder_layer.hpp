// SPDX-License-Identifier: Apache-2.0
/// \file
/// The decoder layer of Llama: attention and feed-forward, each behind a norm and around a residual.
#pragma once

#include <utility>

#include "weft/attention/any_attention.hpp"
#include "weft/layers/rms_norm.hpp"

namespace weft {

/// h = x + self_attn(input_layernorm(x));  y = h + mlp(post_attention_layernorm(h))   (LlamaDecoderLayer). The lean form
/// of `GraphDecoderLayer`, for layers without a graph network.
template <auto HiddenSize, class AttentionType, class MLPType, class T = float, class DeviceType = Cpu>
class DecoderLayer {
 public:
  using Attention = AttentionType;
  using MLP = MLPType;
  using Element = T;
  using Device = DeviceType;
  static constexpr auto kHiddenSize = HiddenSize;

  AttentionType self_attn;
  MLPType mlp;
  RMSNorm<HiddenSize, T, DeviceType> input_layernorm;
  RMSNorm<HiddenSize, T, DeviceType> post_attention_layernorm;

  DecoderLayer() : DecoderLayer(AttentionType(), MLPType()) {}

  DecoderLayer(AttentionType attention, MLPType feed_forward, double rms_norm_eps = 1e-5, Index hidden_size = 0)
      : self_attn(std::move(attention)),
        mlp(std::move(feed_forward)),
        input_layernorm(rms_norm_eps, hidden_size),
        post_attention_layernorm(rms_norm_eps, hidden_size) {}

  /// \param x  [batch, tokens, hidden]
  template <class Context, class X>
  auto operator()(Context& context, const X& x, const AttentionInputs<T>& inputs) const {
    const auto h = self_attn(context, input_layernorm(context, x), inputs, x);
    return mlp(context, post_attention_layernorm(context, h), h);
  }

  /// Whether tokens can be added one at a time with a cache.
  bool incremental() const { return is_incremental_attention(self_attn); }

  void initialize(Rng& rng, double standard_deviation) {
    self_attn.initialize(rng, standard_deviation);
    mlp.initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.self_attn, visit, prefix + "self_attn.");
    for_each_parameter(self.mlp, visit, prefix + "mlp.");
    for_each_parameter(self.input_layernorm, visit, prefix + "input_layernorm.");
    for_each_parameter(self.post_attention_layernorm, visit, prefix + "post_attention_layernorm.");
  }
};

}  // namespace weft
