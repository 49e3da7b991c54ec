// SPDX-License-Identifier: Apache-2.0
/// \file
/// The diagonal of the attention matrix: for graphs of which nothing but self-loops is left.
#pragma once

#include "weft/ops/attention/attention_matrix.hpp"

namespace weft {

namespace detail {

/// With d = dL/dw_ip at the query's own key p: dx_ij = w_ij (d [j = p] - w_ip d).
struct AttentionDiagonalPart {
  static Index columns([[maybe_unused]] Index keys) { return 1; }
  template <class DeviceType, class... Arguments>
  static void forward(const Arguments&... arguments) {
    AttentionKernels<DeviceType>::diagonal(arguments...);
  }
  template <class DeviceType, class... Arguments>
  static void backward(const Arguments&... arguments) {
    AttentionKernels<DeviceType>::diagonal_backward(arguments...);
  }
};

}  // namespace detail

/// w[b, n, i, p] of `attention_weights`, where p = keys - queries + i is the position of query i: how much a token looks at
/// itself. The other weights are not stored; memory is linear in the number of keys, forwards and backwards.
///
/// \param q          [batch, queries, heads * head_dim]
/// \param k          [batch, keys, kv_heads * head_dim], keys >= queries
/// \param sharpness  a tensor of one element, or `none`: α is its value times `options.sharpness`
/// \return           [batch, heads, queries, 1]
template <class Context, class Q, class K, class Sharpness = None>
auto attention_diagonal(Context& context, const Q& q, const K& k, const AttentionOptions<ElementOf<Q>>& options,
                        const Sharpness& sharpness = none) {
  static_assert(ShapeOf<Q>::rank == 3 && ShapeOf<K>::rank == 3,
                "attention_diagonal(q, k): q and k must be [batch, tokens, heads * head_dim]");
  WEFT_EXPECT_SAME_EXTENT(q.shape(), 0, k.shape(), 0, "attention_diagonal(q, k): q and k must have the same batch");
  return detail::attention_matrix<detail::AttentionDiagonalPart, Shape<Dyn, Dyn, Dyn, Dyn>>(
      "attention_diagonal(q, k)", context, q, k, options, sharpness);
}

}  // namespace weft
