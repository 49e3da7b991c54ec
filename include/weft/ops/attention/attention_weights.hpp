// SPDX-License-Identifier: Apache-2.0
/// \file
/// The attention matrix as a tensor: for layers that change it before they use it, and for pictures.
#pragma once

#include "weft/ops/attention/attention_matrix.hpp"

namespace weft {

namespace detail {

/// All entries: dx = w (dw - Σ w dw).
struct AttentionWeightsPart {
  static Index columns([[maybe_unused]] Index keys) { return keys; }
  template <class DeviceType, class... Arguments>
  static void forward(const Arguments&... arguments) {
    AttentionKernels<DeviceType>::weights(arguments...);
  }
  template <class DeviceType, class... Arguments>
  static void backward(const Arguments&... arguments) {
    AttentionKernels<DeviceType>::weights_backward(arguments...);
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
  static_assert(ShapeOf<Q>::rank == 3 && ShapeOf<K>::rank == 3,
                "attention_weights(q, k): q and k must be [batch, tokens, heads * head_dim]");
  WEFT_EXPECT_SAME_EXTENT(q.shape(), 0, k.shape(), 0, "attention_weights(q, k): q and k must have the same batch");
  using YShape = Shape<extent_of<ShapeOf<Q>, 0>, Dyn, extent_of<ShapeOf<Q>, 1>, extent_of<ShapeOf<K>, 1>>;
  return detail::attention_matrix<detail::AttentionWeightsPart, YShape>("attention_weights(q, k)", context, q, k,
                                                                        options, sharpness);
}

}  // namespace weft
