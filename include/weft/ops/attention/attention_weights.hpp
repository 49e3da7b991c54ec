// SPDX-License-Identifier: Apache-2.0
/// \file
/// The attention matrix as a tensor: for layers that change it before they use it, and for pictures.
#pragma once

#include "weft/ops/attention/attention_kernels.hpp"
#include "weft/ops/attention/attention_options.hpp"

namespace weft {

namespace detail {

/// dx = w (dw - Σ w dw), and so on to q, k and the sharpness: see attention_backward.hpp.
template <class T, class DeviceType>
struct AttentionWeightsBackward {
  kernels::AttentionInput<T> in;
  kernels::AttentionStatistics<T> statistics;
  const T* weights;
  AttentionSlots slots;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    AttentionKernels<DeviceType>::weights_backward(in, weights, statistics, y->values<T>(),
                                                   attention_targets(tape, in, slots));
  }
};

}  // namespace detail

/// w[b, n, i, :] = softmaxⱼ(α · (scale · q·k + mask)), 0 for keys that are skipped. What
/// `scaled_dot_product_attention` multiplies the values with, stored.
///
/// \param q          [batch, queries, heads * head_dim]
/// \param k          [batch, keys, kv_heads * head_dim], keys >= queries
/// \param sharpness  a tensor of one element, or `none`: α is its value times `options.sharpness`
/// \return           [batch, heads, queries, keys]
template <class Context, class Q, class K, class Sharpness = None>
auto attention_weights(Context& context, const Q& q, const K& k, const AttentionOptions<ElementOf<Q>>& options,
                       const Sharpness& sharpness = none) {
  using T = ElementOf<Q>;
  using Kernels = AttentionKernels<typename Context::Device>;
  static_assert(ShapeOf<Q>::rank == 3 && ShapeOf<K>::rank == 3,
                "attention_weights(q, k): q and k must be [batch, tokens, heads * head_dim]");
  WEFT_EXPECT_SAME_EXTENT(q.shape(), 0, k.shape(), 0, "attention_weights(q, k): q and k must have the same batch");
  const kernels::AttentionSize size = detail::query_key_size("attention_weights(q, k)", q, k, options);
  const auto queries = operand(context, q);
  const auto keys = operand(context, k);
  const auto alpha = detail::sharpness_operand<T>("attention_weights(q, k)", context, sharpness);
  const auto in = detail::query_key_input(size, queries.data, keys.data, options, alpha.data);

  using YShape = Shape<extent_of<ShapeOf<Q>, 0>, Dyn, extent_of<ShapeOf<Q>, 1>, extent_of<ShapeOf<K>, 1>>;
  const bool needs_gradient = queries.gradient || keys.gradient || alpha.gradient;
  auto y = context.template make<T>(YShape::from({size.batch, size.heads, size.queries, size.keys}), needs_gradient);
  const auto statistics = detail::make_statistics<T>(context, size, y);
  Kernels::weights(in, y.data(), statistics);
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::AttentionWeightsBackward<T, typename Context::Device>{
                                          in,
                                          statistics,
                                          y.data(),
                                          {queries.gradient, keys.gradient, nullptr, alpha.gradient, options.sharpness},
                                          y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
