// SPDX-License-Identifier: Apache-2.0
/// \file
/// What both perceivers have in common: tokens become latents.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "weft/attention/additive_mask.hpp"
#include "weft/layers/extent_rules.hpp"
#include "weft/ops/multiply/multiply.hpp"
#include "weft/ops/packed_rows.hpp"
#include "weft/ops/table_rows/table_rows.hpp"
#include "weft/perceiver/latent_transformer_layer.hpp"
#include "weft/perceiver/perceiver_options.hpp"

namespace weft {

namespace detail {

/// The texts of a call: one in each row of x, or several where they are packed.
struct CoarseTexts {
  Index count;
  Index tokens;  ///< of the longest
  PackedRows packed;
};

/// What an encoder computes: latents 0..latents-1 from tokens 0..tokens-1. Fewer than there are where the rest cannot
/// matter.
template <class T>
struct LatentPlan {
  Index latents;
  Index tokens;
  double position_factor;                      ///< how often the table of positions is added
  kernels::CrossAttentionMask<T> mask;         ///< of latents against tokens
  kernels::CrossAttentionMask<T> latent_mask;  ///< of latents against latents
  PackedTexts packed;                          ///< where the texts lie in x, and whether they are read there
  const T* kept = nullptr;                     ///< null, or [batch, latents, hidden]: 0 for latents that say nothing, 1
};

/// Refuses what no coarse-grained attention can do.
template <class T>
void check_coarse_inputs(std::string_view name, const AttentionInputs<T>& inputs) {
  if (inputs.cache) {
    fail(concat(name, ": there is no decoding with a key/value cache; recompute the whole text for every token"));
  }
  const bool masked = inputs.key_valid != nullptr || inputs.additive_mask.data() != nullptr;
  if (inputs.first_key != nullptr && (masked || !inputs.causal)) {
    fail(concat(name, ": packed texts (first_key) must be causal, without key_valid and additive_mask"));
  }
}

/// The mask that the model gives to every layer, as the perceivers use it for each text.
template <class T>
kernels::TokenMask<T> token_mask(const AttentionInputs<T>& inputs, const CoarseTexts& texts) {
  const Index tokens = texts.tokens;
  const AdditiveRows<T> added = additive_rows(inputs, texts.count, tokens, tokens);
  return {inputs.causal, inputs.key_valid, added.data, tokens, tokens, added.batch_stride, added.row_stride};
}

/// Parameters: `input_pos_emb`, `decoder_queries` [1, M, H], `latent_pos_emb`, `latent_array` [1, N, H],
/// `input_to_latent.*`, `latent_transformer.{i}.*`, `norm1.*` (of latents), `norm2.*` (of tokens), `final_norm.*`.
template <auto HiddenSize, auto Heads, class T, class DeviceType,
          template <auto, auto, auto, class, class> class Attention,
          template <auto, auto, auto, class, class> class LatentLayer>
class PerceiverEncoder {
 protected:
  /// The reference rounds down, and projects to as much as the heads need.
  static constexpr auto head_dim() {
    if constexpr (is_dynamic<HiddenSize> || is_dynamic<Heads>) {
      return Dyn;
    } else {
      static_assert(HiddenSize >= Heads, "perceiver: hidden_size must be at least heads");
      return HiddenSize / Heads;
    }
  }
  static constexpr auto kHeadDim = head_dim();
  using Table = Parameter<T, Shape<1, Dyn, HiddenSize>, DeviceType>;
  using AttentionLayer = Attention<HiddenSize, Heads, kHeadDim, T, DeviceType>;

 public:
  Table input_pos_emb;
  Table latent_pos_emb;
  Table latent_array;
  Table decoder_queries;  ///< a row for each token that decodes
  AttentionLayer input_to_latent;
  std::vector<LatentLayer<HiddenSize, Heads, kHeadDim, T, DeviceType>> latent_transformer;
  LayerNorm<HiddenSize, T, DeviceType> norm1;
  LayerNorm<HiddenSize, T, DeviceType> norm2;
  LayerNorm<HiddenSize, T, DeviceType> final_norm;

  PerceiverEncoder(std::string_view name, PerceiverOptions options)
      : input_pos_emb(table(options, options.max_position_embeddings)),
        latent_pos_emb(table(options, options.num_latents)),
        latent_array(table(options, options.num_latents)),
        decoder_queries(table(options, options.max_position_embeddings)),
        input_to_latent(attention_options(options)),
        norm1(1e-5, options.hidden_size),
        norm2(1e-5, options.hidden_size),
        final_norm(1e-5, options.hidden_size),
        name_(name),
        options_(options) {
    check_perceiver(name, options);
    options_.hidden_size = resolve_extent<HiddenSize>(options.hidden_size, "perceiver: hidden_size");
    options_.heads = resolve_extent<Heads>(options.heads, "perceiver: heads");
    for (Index layer = 0; layer < options.num_latent_layers; ++layer) {
      latent_transformer.emplace_back(attention_options(options));
    }
  }

  /// All latents of a text (steps 1 to 7 of the reference's encoding), in the reference's form. Not of packed texts:
  /// what latents after a text's last group hold depends on its length.
  ///
  /// \param x  [batch, tokens, hidden]
  /// \return   [batch, latents, hidden]
  template <class Context, class X>
  auto encode(Context& context, const X& x, const AttentionInputs<T>& inputs) const {
    if (inputs.first_key != nullptr) fail(concat(name_, "::encode: takes one text a row, found packed texts"));
    const CoarseTexts texts = texts_of(context, x, inputs);
    const auto plan = reference_plan(inputs, texts, options_.num_latents);
    return final_norm(context, run_layers(context, x, plan, latent_transformer.size()));
  }

  /// Tables from N(0, 1) / sqrt(hidden); projections from N(0, standard_deviation²), their biases 0.
  void initialize(Rng& rng, double standard_deviation) {
    for (Table* table : {&input_pos_emb, &latent_pos_emb, &latent_array}) fill_normal(*table, rng, table_deviation());
    input_to_latent.initialize(rng, standard_deviation);
    for (auto& layer : latent_transformer) layer.initialize(rng, standard_deviation);
    fill_normal(decoder_queries, rng, table_deviation());
  }

  const PerceiverOptions& options() const { return options_; }
  /// Tokens of a group.
  Index group_size() const { return options_.group_size(); }

 protected:
  static Shape<1, Dyn, HiddenSize> table(const PerceiverOptions& options, Index rows) {
    return Shape<1, Dyn, HiddenSize>::from(
        {1, rows, resolve_extent<HiddenSize>(options.hidden_size, "perceiver: hidden_size")});
  }

  static CrossAttentionLayerOptions attention_options(const PerceiverOptions& options) {
    const Index hidden = resolve_extent<HiddenSize>(options.hidden_size, "perceiver: hidden_size");
    const Index heads = resolve_extent<Heads>(options.heads, "perceiver: heads");
    if (hidden < heads) {
      fail(concat("perceiver: hidden_size must be at least heads, found ", hidden, " and ", heads));
    }
    return {hidden, heads, hidden / heads, options.attention_dropout};
  }

  double table_deviation() const { return 1 / std::sqrt(static_cast<double>(options_.hidden_size)); }

  /// The texts of x. Those and masks that the reference cannot take, or that nobody can, are refused.
  template <class Context, class X>
  CoarseTexts texts_of(Context& context, const X& x, const AttentionInputs<T>& inputs) const {
    check_coarse_inputs(name_, inputs);
    const PackedRows packed = packed_rows(context, inputs.first_key, x.extent(0), x.extent(1));
    const CoarseTexts texts{packed ? packed.sequences : x.extent(0), packed ? packed.longest : x.extent(1), packed};
    check_tokens(texts.tokens, inputs);
    return texts;
  }

  void check_tokens(Index tokens, const AttentionInputs<T>& inputs) const {
    if (tokens > options_.max_position_embeddings) {
      fail(concat(name_, ": a text must not have more than ", options_.max_position_embeddings,
                  " tokens (max_position_embeddings), found ", tokens));
    }
    if (inputs.additive_mask.data() == nullptr) return;
    const Index columns = inputs.additive_mask.extent(3);
    if (tokens < options_.num_latents && columns > tokens) {
      fail(concat(name_, ": additive_mask must have as many columns as the text has tokens, ", tokens,
                  ", where these are fewer than the ", options_.num_latents, " latents, found ", columns,
                  " (quirk P7)"));
    }
  }

  /// The groups that hold a token.
  Index active_latents(Index tokens) const { return (tokens + group_size() - 1) / group_size(); }

  /// Steps (3) and (4): the penalty for tokens of other groups, and row n of the token mask for latent n. Under a causal
  /// mask latent n sees tokens 0..n, so that the later ones need not be looked at.
  LatentPlan<T> reference_plan(const AttentionInputs<T>& inputs, const CoarseTexts& texts, Index latents) const {
    const Index tokens = texts.tokens;
    LatentPlan<T> plan{latents, tokens, 2, {}, {}, {texts.packed}};
    plan.mask.tokens = token_mask(inputs, texts);
    plan.mask.groups = kernels::KeyGroups::of_query;
    plan.mask.group_size = group_size();
    plan.latent_mask.causal = true;
    if (inputs.causal && !plan.mask.tokens.dense()) plan.tokens = std::min(tokens, latents);
    return plan;
  }

  /// The latents of every text after the first `layers` latent layers. Packed texts are taken apart on the way: by their
  /// tokens, where after the shorter ones come rows that no latent in use sees, or in place, by what latents see.
  template <class Context, class X>
  auto run_layers(Context& context, const X& x, const LatentPlan<T>& plan, std::size_t layers) const {
    const TableRows positions{plan.tokens, 0, plan.position_factor};
    const auto tokens = norm2(context, table_rows(context, input_pos_emb, positions, x, plan.packed));
    const auto queries = norm1(context, table_rows(context, latent_pos_emb, {plan.latents}, latent_array));
    auto latents = input_to_latent(context, queries, tokens, tokens, plan.mask);
    if (plan.kept != nullptr) {
      const TensorView<const T, ShapeOf<decltype(latents)>> kept(plan.kept, latents.shape());
      latents = multiply(context, latents, kept);
    }
    for (std::size_t layer = 0; layer < layers; ++layer) {
      latents = latent_transformer[layer](context, latents, plan.latent_mask);
    }
    return latents;
  }

  template <class Self, class Visit>
  static void visit_tables(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName(prefix + "input_pos_emb"), self.input_pos_emb);
    visit(ParameterName(prefix + "latent_pos_emb"), self.latent_pos_emb);
    visit(ParameterName(prefix + "latent_array"), self.latent_array);
    visit(ParameterName(prefix + "decoder_queries"), self.decoder_queries);
  }

  template <class Self, class Visit>
  static void visit_layers(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.input_to_latent, visit, prefix + "input_to_latent.");
    for (std::size_t layer = 0; layer < self.latent_transformer.size(); ++layer) {
      for_each_parameter(self.latent_transformer[layer], visit, concat(prefix, "latent_transformer.", layer, "."));
    }
  }

  template <class Self, class Visit>
  static void visit_norms(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.norm1, visit, prefix + "norm1.");
    for_each_parameter(self.norm2, visit, prefix + "norm2.");
    for_each_parameter(self.final_norm, visit, prefix + "final_norm.");
  }

 private:
  std::string name_;
  PerceiverOptions options_;
};

}  // namespace detail

}  // namespace weft
