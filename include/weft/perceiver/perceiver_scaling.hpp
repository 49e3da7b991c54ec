// SPDX-License-Identifier: Apache-2.0
/// \file
/// A perceiver whose latents' attention, scaled up to tokens, is mixed with the tokens' own.
#pragma once

#include "weft/ops/zero_gradient/zero_gradient.hpp"
#include "weft/perceiver/perceiver_encoder.hpp"

namespace weft {

/// y = LN(attention(LN₁ x)) where token i weighs token j <= i with
/// a = (m · local + (1 - m) S) / (row sum + 1e-9) for a learned m > 0, and with S for m <= 0
/// (PerceiverAR_Fixed_Token_Per_Latent_Scaling).
///
/// In the reference's form S is 1 for every j <= i that is not padding: local causal attention blended with a plain mean
/// of all earlier tokens. The latents have no effect, are not computed, and get zero gradients. With
/// `CGIAdjacency::active_latents` S is the attention among the latents of the groups in use, from the last latent layer;
/// a latent that sees padding alone then says nothing.
/// Parameters: those of the encoder (`decoder_queries` is never used), `mix_weights` [1], `sequence_self_attention.*`.
template <auto HiddenSize, auto Heads, class T = float, class DeviceType = Cpu>
class PerceiverAR_Fixed_Token_Per_Latent_Scaling
    : public detail::PerceiverEncoder<HiddenSize, Heads, T, DeviceType, CrossAttentionPlus,
                                      LatentTransformerLayerPlus> {
  using Base =
      detail::PerceiverEncoder<HiddenSize, Heads, T, DeviceType, CrossAttentionPlus, LatentTransformerLayerPlus>;

 public:
  Parameter<T, Shape<1>, DeviceType> mix_weights;
  typename Base::AttentionLayer sequence_self_attention;

  explicit PerceiverAR_Fixed_Token_Per_Latent_Scaling(const PerceiverOptions& options,
                                                      const PerceiverScalingOptions& scaling = {})
      : Base("PerceiverAR_Fixed_Token_Per_Latent_Scaling", options),
        mix_weights(Shape<1>()),
        sequence_self_attention(Base::attention_options(options)),
        scaling_(scaling) {
    if (options.num_latents >= options.max_position_embeddings) {
      fail(concat("PerceiverAR_Fixed_Token_Per_Latent_Scaling: num_latents must be smaller than ",
                  "max_position_embeddings, found ", options.num_latents, " and ", options.max_position_embeddings));
    }
    if (options.num_latent_layers < 1) {
      fail("PerceiverAR_Fixed_Token_Per_Latent_Scaling: num_latent_layers must be 1 or more, found 0");
    }
    if (!scales_up(scaling.interpolation, scaling.adjacency)) {
      fail(
          concat("PerceiverAR_Fixed_Token_Per_Latent_Scaling: with CGIAdjacency::active_latents interpolation must be ",
                 "nearest or bilinear"));
    }
    fill_constant(mix_weights, static_cast<T>(scaling.mix_weights_initial));
  }

  /// \param x       [batch, tokens, hidden]
  /// \param inputs  padding; causal in any case
  /// \return        [batch, tokens, hidden]
  template <class Context, class X>
  auto operator()(Context& context, const X& x, const AttentionInputs<T>& inputs) const {
    const detail::CoarseTexts texts = this->texts_of(context, x, inputs);
    if (scaling_.adjacency == CGIAdjacency::reference) {
      const auto y = attend_locally(context, x, inputs, texts, supplied_ones(context), none);
      return without_latents(context, y);
    }
    return attend_locally(context, x, inputs, texts, upscaled(texts.tokens),
                          adjacency_of_latents(context, x, inputs, texts));
  }

  void initialize(Rng& rng, double standard_deviation) {
    Base::initialize(rng, standard_deviation);
    fill_constant(mix_weights, static_cast<T>(scaling_.mix_weights_initial));
    sequence_self_attention.initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    Base::visit_tables(self, visit, prefix);
    visit(ParameterName(prefix + "mix_weights"), self.mix_weights);
    Base::visit_layers(self, visit, prefix);
    for_each_parameter(self.sequence_self_attention, visit, prefix + "sequence_self_attention.");
    Base::visit_norms(self, visit, prefix);
  }

 private:
  /// Step (4) and (5) of the reference's decoding. Packed texts stay where they are: no key of another exists for a token.
  template <class Context, class X, class Supplied>
  auto attend_locally(Context& context, const X& x, const AttentionInputs<T>& inputs, const detail::CoarseTexts& texts,
                      kernels::CrossAttentionMixing<T> mixing, const Supplied& supplied) const {
    kernels::CrossAttentionMask<T> mask;
    mask.causal = true;
    mask.query_texts = mask.key_texts = texts.packed;
    mixing.visible = detail::token_mask(inputs, texts);
    mixing.visible.causal = false;  // said by the mask of scores already
    if (scaling_.mask_local) mask.tokens = mixing.visible;
    const auto normed = this->norm1(context, x);
    return this->final_norm(
        context, sequence_self_attention(context, normed, normed, normed, mask, none, mixing, supplied, mix_weights));
  }

  /// The reference scales up one entry, the first latent's attention to itself, which is 1 or what dropout makes of it
  /// (quirk P18).
  template <class Context>
  kernels::CrossAttentionMixing<T> supplied_ones([[maybe_unused]] Context& context) const {
    kernels::CrossAttentionMixing<T> mixing;
    mixing.kind = kernels::SuppliedWeights::ones;
    if constexpr (Context::records) {
      if (sequence_self_attention.drops(context)) {
        mixing.entry_drop.emplace(context.next_dropout_stream(), sequence_self_attention.dropout());
      }
    }
    return mixing;
  }

  kernels::CrossAttentionMixing<T> upscaled(Index tokens) const {
    kernels::CrossAttentionMixing<T> mixing;
    mixing.kind = scaling_.interpolation == AdjacencyInterpolation::nearest ? kernels::SuppliedWeights::nearest
                                                                            : kernels::SuppliedWeights::bilinear;
    mixing.extent = this->active_latents(tokens);
    mixing.group_size = this->group_size();
    return mixing;
  }

  /// The attention of the last latent layer among the groups in use, [batch (packed: texts), heads, groups, groups].
  template <class Context, class X>
  auto adjacency_of_latents(Context& context, const X& x, const AttentionInputs<T>& inputs,
                            const detail::CoarseTexts& texts) const {
    auto plan = this->reference_plan(inputs, texts, this->active_latents(texts.tokens));
    plan.kept = latents_with_tokens(context, plan, texts.count);
    const auto latents = this->run_layers(context, x, plan, this->latent_transformer.size() - 1);
    return this->latent_transformer.back().causal_weights(context, latents);
  }

  /// 1 for latents that see a token, 0 for those in front of a text, which see padding alone: they would take the mean of
  /// all that it hides, later tokens too. [batch, latents, hidden]; null where no row is dense.
  template <class Context>
  const T* latents_with_tokens(Context& context, const detail::LatentPlan<T>& plan, Index batch) const {
    const kernels::TokenMask<T>& mask = plan.mask.tokens;
    if (!mask.dense()) return nullptr;
    const Index width = this->options().hidden_size;
    T* kept = context.workspace().template allocate<T>(batch * plan.latents * width);
    for (Index row = 0; row < batch * plan.latents; ++row) {
      bool sees = false;
      for (Index j = 0; j < plan.tokens && !sees; ++j) {
        sees = mask.at(row / plan.latents, row % plan.latents, j) > static_cast<T>(kernels::detail::kHiddenBelow);
      }
      std::fill_n(kept + row * width, width, sees ? T{1} : T{0});
    }
    return kept;
  }

  /// Zero gradients for everything that leads to the entry which is always 1: all of the encoder up to the weights of the
  /// last latent layer.
  template <class Context, class Y>
  Y without_latents(Context& context, Y y) const {
    if constexpr (Context::records) {
      // By hand: visit_parameters would make names, which a step must not take memory for.
      const auto touch = [&](const auto& parameter) { y = with_zero_gradient(context, y, parameter); };
      const auto touch_linear = [&](const auto& linear) {
        touch(linear.weight);
        if (linear.bias) touch(*linear.bias);
      };
      const auto touch_norm = [&](const auto& norm) {
        touch(norm.weight);
        touch(norm.bias);
      };
      const auto touch_attention = [&](const auto& attention) {
        for (const auto* linear : {&attention.to_q, &attention.to_k, &attention.to_v}) touch_linear(*linear);
        touch_linear(attention.to_out);
      };
      for (const auto* table : {&this->input_pos_emb, &this->latent_pos_emb, &this->latent_array}) touch(*table);
      touch_attention(this->input_to_latent);
      const auto& last = this->latent_transformer.back();
      for (const auto& layer : this->latent_transformer) {
        if (&layer == &last) continue;
        touch_attention(layer.self_attn);
        for (const auto* norm : {&layer.norm1, &layer.norm2}) touch_norm(*norm);
        touch_linear(layer.mlp0);
        touch_linear(layer.mlp2);
      }
      touch_norm(last.norm1);
      touch_linear(last.self_attn.to_q);
      touch_linear(last.self_attn.to_k);
      touch_norm(this->norm2);
    }
    return y;
  }

  PerceiverScalingOptions scaling_;
};

}  // namespace weft
