// SPDX-License-Identifier: Apache-2.0
/// \file
/// A perceiver whose latents each stand for a group of consecutive tokens.
#pragma once

#include <algorithm>

#include "weft/ops/group_rows/group_rows.hpp"
#include "weft/ops/zero_gradient/zero_gradient.hpp"
#include "weft/perceiver/perceiver_encoder.hpp"

namespace weft {

/// What a perceiver decodes: one row for each group of tokens.
template <class Rows>
struct DecodedGroups {
  Rows rows;         ///< [batch (packed: texts), groups, hidden], or of packed tokens [batch, tokens, hidden]
  RowGroups groups;  ///< which tokens a row is for
};

/// Latents attend to tokens, to each other, and tokens attend to latents (PerceiverAR_Fixed_Token_Per_Latent; the idea is
/// Hawthorne et al., arXiv 2202.07765). Token t belongs to latent ⌊t / P⌋.
///
/// In the reference's form a row of the token mask serves as the row of the latent with the same number, and scores of
/// other groups carry -1e9, in which float scores below 32 disappear: latent n averages tokens 0..n alike. A token reads
/// its own latent with weight 1, so that the decoder's queries and keys have no effect; they get zero gradients and, as
/// latents after the last group cannot be seen, are not computed. With padding everything is computed as it is written.
/// Parameters: those of the encoder, `latent_to_output.*`.
template <auto HiddenSize, auto Heads, class T = float, class DeviceType = Cpu>
class PerceiverAR_Fixed_Token_Per_Latent
    : public detail::PerceiverEncoder<HiddenSize, Heads, T, DeviceType, CrossAttention, LatentTransformerLayer> {
  using Base = detail::PerceiverEncoder<HiddenSize, Heads, T, DeviceType, CrossAttention, LatentTransformerLayer>;

 public:
  typename Base::AttentionLayer latent_to_output;

  explicit PerceiverAR_Fixed_Token_Per_Latent(const PerceiverOptions& options, CGMask cg_mask = CGMask::reference)
      : Base("PerceiverAR_Fixed_Token_Per_Latent", options),
        latent_to_output(Base::attention_options(options)),
        cg_mask_(cg_mask) {}

  /// decode(encode(x)), one row for each group of tokens that share one.
  ///
  /// \param x       [batch, tokens, hidden]
  /// \param inputs  masks; without any, tokens see later ones of their group (quirk P3)
  template <class Context, class X>
  auto decode_groups(Context& context, const X& x, const AttentionInputs<T>& inputs) const {
    const detail::CoarseTexts texts = this->texts_of(context, x, inputs);
    return cg_mask_ == CGMask::reference ? decode_by_reference(context, x, inputs, texts)
                                         : decode_causal_groups(context, x, inputs, texts);
  }

  /// \return  [batch, tokens, hidden]
  template <class Context, class X>
  auto operator()(Context& context, const X& x, const AttentionInputs<T>& inputs) const {
    const auto decoded = decode_groups(context, x, inputs);
    const auto shape = Shape<extent_of<ShapeOf<X>, 0>, extent_of<ShapeOf<X>, 1>, HiddenSize>::from(
        {x.extent(0), x.extent(1), this->options().hidden_size});
    return add_group_rows(context, shape, decoded.rows, decoded.groups);
  }

  void initialize(Rng& rng, double standard_deviation) {
    Base::initialize(rng, standard_deviation);
    latent_to_output.initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    Base::visit_tables(self, visit, prefix);
    Base::visit_layers(self, visit, prefix);
    for_each_parameter(self.latent_to_output, visit, prefix + "latent_to_output.");
    Base::visit_norms(self, visit, prefix);
  }

 private:
  template <class Context, class X>
  auto decode_by_reference(Context& context, const X& x, const AttentionInputs<T>& inputs,
                           const detail::CoarseTexts& texts) const {
    const Index tokens = texts.tokens;
    kernels::CrossAttentionMask<T> mask;
    mask.tokens = detail::token_mask(inputs, texts);
    mask.groups = kernels::KeyGroups::of_key;
    mask.group_size = this->group_size();
    // By groups: with weight 1 on one latent and all of that weight kept, a group has one result.
    const bool by_groups = !mask.tokens.dense() && !latent_to_output.drops(context);
    const Index count = mask.tokens.dense() ? this->options().num_latents : this->active_latents(tokens);
    const auto plan = this->reference_plan(inputs, texts, count);
    const auto latents = this->final_norm(context, this->run_layers(context, x, plan, this->latent_transformer.size()));
    using Decoded = decltype(latent_to_output.of_single_keys(context, latents));
    if (by_groups) {
      const auto rows = latent_to_output.of_single_keys(context, latents);
      const auto with_keys = with_zero_gradient(context, rows, latent_to_output.to_k.weight);
      const auto with_both = with_zero_gradient(context, with_keys, latent_to_output.to_q.weight);
      return DecodedGroups<Decoded>{with_zero_gradient(context, with_both, this->decoder_queries),
                                    {this->group_size(), 0, nullptr, texts.packed}};
    }
    mask.query_texts = texts.packed;
    const auto queries = table_rows(context, this->decoder_queries, {tokens});
    const auto rows = latent_to_output(context, queries, latents, latents, mask);
    return DecodedGroups<Decoded>{rows.reshape(this->rows_of_tokens(x, texts, tokens)), {1, 0, nullptr}};
  }

  /// Ours: latent n sees the valid tokens of group n, later latents see it where it has any, and token t reads the latents
  /// of complete groups, 0..⌊(t + 1) / P⌋ - 1. A token before which no group is complete and valid gets nothing.
  template <class Context, class X>
  auto decode_causal_groups(Context& context, const X& x, const AttentionInputs<T>& inputs,
                            const detail::CoarseTexts& texts) const {
    if (inputs.additive_mask.data() != nullptr) {
      fail(
          "PerceiverAR_Fixed_Token_Per_Latent: cg_mask group_causal needs padding as key_valid, not as an additive "
          "mask");
    }
    const Index tokens = texts.tokens;
    const Index size = this->group_size();
    const Index groups = tokens / size;
    const Index shift = std::min(size - 1, tokens);
    const GroupValidity validity = groups_with_tokens(context, inputs.key_valid, texts, shift);
    detail::LatentPlan<T> plan{groups, texts.packed ? tokens : groups * size, 1, {}, {}, {texts.packed, true}};
    plan.mask.key_texts = texts.packed;
    plan.mask.tokens = {false, inputs.key_valid, nullptr, groups, tokens};
    plan.mask.groups = kernels::KeyGroups::only_of_query;
    plan.mask.group_size = size;
    plan.latent_mask.causal = true;
    plan.latent_mask.tokens = {false, validity.latents, nullptr, groups, groups};
    const auto latents = this->final_norm(context, this->run_layers(context, x, plan, this->latent_transformer.size()));

    kernels::CrossAttentionMask<T> mask;
    mask.tokens = {false, validity.latents, nullptr, tokens - shift, groups};
    mask.groups = kernels::KeyGroups::until_query;
    mask.group_size = size;
    mask.query_texts = texts.packed;
    mask.skipped = texts.packed ? shift : 0;
    const auto queries = table_rows(context, this->decoder_queries, {groups > 0 ? tokens - shift : 0, shift});
    const auto rows = latent_to_output(context, queries, latents, latents, mask);
    const auto decoded = rows.reshape(this->rows_of_tokens(x, texts, tokens - shift));
    return DecodedGroups<std::remove_const_t<decltype(decoded)>>{decoded,
                                                                 {1, texts.packed ? 0 : shift, validity.tokens}};
  }

  /// Null pointers: everything is valid.
  struct GroupValidity {
    std::int32_t* latents = nullptr;  ///< [batch, groups], 1 = the group has a valid token
    std::int32_t* tokens = nullptr;   ///< [batch, tokens], 1 = a group that ends at or before the token has one
  };

  template <class Context>
  GroupValidity groups_with_tokens(Context& context, const std::int32_t* key_valid, const detail::CoarseTexts& texts,
                                   Index shift) const {
    if (texts.packed) return {nullptr, tokens_after(context, texts.packed, shift)};
    if (key_valid == nullptr) return {};
    const Index batch = texts.count, tokens = texts.tokens;
    const Index size = this->group_size();
    const Index groups = tokens / size;
    const GroupValidity validity{context.workspace().template allocate<std::int32_t>(batch * groups),
                                 context.workspace().template allocate<std::int32_t>(batch * tokens)};
    for (Index b = 0; b < batch; ++b) {
      std::int32_t seen = 0;
      std::int32_t in_group = 0;
      for (Index t = 0; t < tokens; ++t) {
        if (t % size == 0) in_group = 0;
        if (key_valid[b * tokens + t] != 0) in_group = 1;
        if ((t + 1) % size == 0) {
          validity.latents[b * groups + t / size] = in_group;
          seen |= in_group;
        }
        validity.tokens[b * tokens + t] = seen;
      }
    }
    return validity;
  }

  /// 1 for tokens that have `shift` others of their packed text before them.
  template <class Context>
  static std::int32_t* tokens_after(Context& context, const PackedRows& packed, Index shift) {
    const Index count = packed.starts[packed.sequences];
    std::int32_t* after = context.workspace().template allocate<std::int32_t>(count);
    for (Index at = 0; at < count; ++at) after[at] = at - packed.starts[packed.sequence[at]] >= shift ? 1 : 0;
    return after;
  }

  /// The shape of rows for `rows` tokens of every text, or for all tokens where texts are packed.
  template <class X>
  auto rows_of_tokens(const X& x, const detail::CoarseTexts& texts, Index rows) const {
    const Index hidden = this->options().hidden_size;
    return Shape<Dyn, Dyn, HiddenSize>::from({x.extent(0), texts.packed ? x.extent(1) : rows, hidden});
  }

  CGMask cg_mask_;
};

}  // namespace weft
