// SPDX-License-Identifier: Apache-2.0
/// \file
/// Multi-head attention between two sequences, with its projections.
#pragma once

#include <cmath>

#include "weft/layers/linear.hpp"
#include "weft/ops/cross_attention/cross_attention.hpp"

namespace weft {

/// The run-time choices of `CrossAttention` and `CrossAttentionPlus`. Extents are needed only where the type leaves them
/// `Dyn`.
struct CrossAttentionLayerOptions {
  Index dim = 0;
  Index heads = 0;
  Index head_dim = 0;
  double dropout = 0.1;  ///< of the weights, while training
};

namespace detail {

/// The projections and factors of both kinds of cross attention.
/// Parameters: `to_q.weight`, `to_k.weight`, `to_v.weight` [heads * head_dim, dim], `to_out.{weight, bias}`.
template <auto Dim, auto Heads, auto HeadDim, class T, class DeviceType>
class CrossAttentionProjections {
  static constexpr auto kWidth = multiply_extents<Heads, HeadDim>();

 public:
  Linear<Dim, kWidth, T, DeviceType> to_q;
  Linear<Dim, kWidth, T, DeviceType> to_k;
  Linear<Dim, kWidth, T, DeviceType> to_v;
  Linear<kWidth, Dim, T, DeviceType> to_out;

  explicit CrossAttentionProjections(const CrossAttentionLayerOptions& options)
      : to_q(false, options.dim, options.heads * options.head_dim),
        to_k(false, options.dim, options.heads * options.head_dim),
        to_v(false, options.dim, options.heads * options.head_dim),
        to_out(true, options.heads * options.head_dim, options.dim),
        heads_(resolve_extent<Heads>(options.heads, "CrossAttention: heads")),
        head_dim_(resolve_extent<HeadDim>(options.head_dim, "CrossAttention: head_dim")),
        dropout_(options.dropout) {
    if (!(dropout_ >= 0 && dropout_ < 1)) {
      fail(concat("CrossAttention: dropout must be in [0, 1), found ", dropout_));
    }
  }

  void initialize(Rng& rng, double standard_deviation) {
    to_q.initialize(rng, standard_deviation);
    to_k.initialize(rng, standard_deviation);
    to_v.initialize(rng, standard_deviation);
    to_out.initialize(rng, standard_deviation);
  }

  Index heads() const { return heads_; }
  Index head_dim() const { return head_dim_; }
  double dropout() const { return dropout_; }
  double scale() const { return 1 / std::sqrt(static_cast<double>(head_dim_)); }

  /// Whether weights are dropped in this context.
  template <class Context>
  bool drops([[maybe_unused]] const Context& context) const {
    if constexpr (Context::records) {
      return context.dropping() && dropout_ > 0;
    } else {
      return false;
    }
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.to_q, visit, prefix + "to_q.");
    for_each_parameter(self.to_k, visit, prefix + "to_k.");
    for_each_parameter(self.to_v, visit, prefix + "to_v.");
    for_each_parameter(self.to_out, visit, prefix + "to_out.");
  }

 protected:
  template <class Context>
  CrossAttentionOptions<T> options(Context& context, const kernels::CrossAttentionMask<T>& mask) const {
    CrossAttentionOptions<T> options{heads_, scale(), mask, {}, {}};
    if constexpr (Context::records) {
      if (drops(context)) options.dropout.emplace(context.next_dropout_stream(), dropout_);
    }
    return options;
  }

 private:
  Index heads_;
  Index head_dim_;
  double dropout_;
};

}  // namespace detail

/// y = to_out(softmax(to_q(query) to_k(key)ᵀ / sqrt(head_dim) + masks) to_v(value)), the fill of -1e9 after the masks
/// are added (CrossAttention).
template <auto Dim, auto Heads, auto HeadDim, class T = float, class DeviceType = Cpu>
class CrossAttention : public detail::CrossAttentionProjections<Dim, Heads, HeadDim, T, DeviceType> {
  using Base = detail::CrossAttentionProjections<Dim, Heads, HeadDim, T, DeviceType>;

 public:
  explicit CrossAttention(const CrossAttentionLayerOptions& options = {}) : Base(options) {}

  /// \param query     [batch or 1, queries, dim]
  /// \param key       [batch, keys, dim]
  /// \param value     [batch, keys, dim]
  /// \param mask      by index or as arrays; the causal flag is for queries and keys of one sequence, `fill` for any
  /// \param residual  [batch, queries, dim], added to the result, or `none`
  /// \return          [batch, queries, dim]
  template <class Context, class Query, class Key, class Value, class Residual = None>
  auto operator()(Context& context, const Query& query, const Key& key, const Value& value,
                  const kernels::CrossAttentionMask<T>& mask = {}, const Residual& residual = none) const {
    const auto q = this->to_q(context, query);
    const auto k = this->to_k(context, key);
    const auto v = this->to_v(context, value);
    return this->to_out(context, cross_attention(context, q, k, v, this->options(context, mask)), residual);
  }

  /// What a query with all its weight on one key gets from it, for every key: to_out(to_v(value)).
  template <class Context, class Value>
  auto of_single_keys(Context& context, const Value& value) const {
    return this->to_out(context, this->to_v(context, value));
  }

  /// The weights [batch, heads, queries, keys], without dropout.
  template <class Query, class Key>
  auto attention_weights(Inference& context, const Query& query, const Key& key,
                         const kernels::CrossAttentionMask<T>& mask = {}) const {
    return cross_attention_weights(context, this->to_q(context, query), this->to_k(context, key),
                                   this->options(context, mask));
  }
};

/// As CrossAttention, with the fill before the masks are added, and with weights that may come from elsewhere or
/// be mixed with such (CrossAttentionPlus): a = m w + (1 - m) s over its row sum + 1e-9, 0 where the score was filled,
/// where m > 0; a = s as it is where not. The reference cannot switch the division off (quirk P17).
template <auto Dim, auto Heads, auto HeadDim, class T = float, class DeviceType = Cpu>
class CrossAttentionPlus : public detail::CrossAttentionProjections<Dim, Heads, HeadDim, T, DeviceType> {
  using Base = detail::CrossAttentionProjections<Dim, Heads, HeadDim, T, DeviceType>;

 public:
  explicit CrossAttentionPlus(const CrossAttentionLayerOptions& options = {}) : Base(options) {}

  /// \param query     [batch or 1, queries, dim]
  /// \param key       [batch, keys, dim]
  /// \param value     [batch, keys, dim]
  /// \param mask      by index or as arrays
  /// \param residual  [batch, queries, dim], added to the result, or `none`
  /// \param mixing    which weights are supplied; `mixing.mix` is used where `mix` is none
  /// \param supplied  the array behind them, or `none`
  /// \param mix       a tensor of one element, or `none`
  /// \return          [batch, queries, dim]
  template <class Context, class Query, class Key, class Value, class Residual = None, class Supplied = None,
            class Mix = None>
  auto operator()(Context& context, const Query& query, const Key& key, const Value& value,
                  const kernels::CrossAttentionMask<T>& mask = {}, const Residual& residual = none,
                  kernels::CrossAttentionMixing<T> mixing = {}, const Supplied& supplied = none,
                  const Mix& mix = none) const {
    if constexpr (!std::is_same_v<Mix, None>) mixing.mix = *mix.data();
    const auto v = this->to_v(context, value);
    const auto options = plus_options(context, mask, mixing);
    const auto attended = [&] {
      if (mixing.local()) {
        const auto q = this->to_q(context, query);
        const auto k = this->to_k(context, key);
        return cross_attention(context, q, k, v, options, supplied, mix);
      }
      return cross_attention(context, query, key, v, options, supplied, mix);
    }();
    return this->to_out(context, attended, residual);
  }

  /// The weights [batch, heads, queries, keys], without dropout.
  template <class Query, class Key, class Supplied = None>
  auto attention_weights(Inference& context, const Query& query, const Key& key,
                         const kernels::CrossAttentionMask<T>& mask = {},
                         const kernels::CrossAttentionMixing<T>& mixing = {}, const Supplied& supplied = none) const {
    return cross_attention_weights(context, this->to_q(context, query), this->to_k(context, key),
                                   plus_options(context, mask, mixing), supplied);
  }

 private:
  template <class Context>
  auto plus_options(Context& context, kernels::CrossAttentionMask<T> mask,
                    const kernels::CrossAttentionMixing<T>& mixing) const {
    mask.order = kernels::FillOrder::fill_then_mask;
    auto options = this->options(context, mask);
    options.mixing = mixing;
    return options;
  }
};

}  // namespace weft
