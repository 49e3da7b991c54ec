// SPDX-License-Identifier: Apache-2.0
/// \file
/// The diagonal of the attention matrix: for graphs of which nothing but self-loops is left.
#pragma once

#include "weft/ops/attention/attention_kernels.hpp"
#include "weft/ops/attention/attention_options.hpp"

namespace weft {

namespace detail {

/// With d = dL/dw_ip at the query's own key p: dx_ij = w_ij (d [j = p] - w_ip d), and so on to q, k and the sharpness.
template <class T, class DeviceType>
struct AttentionDiagonalBackward {
  kernels::AttentionInput<T> in;
  kernels::AttentionStatistics<T> statistics;
  const T* diagonal;
  AttentionSlots slots;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    AttentionKernels<DeviceType>::diagonal_backward(in, diagonal, statistics, y->values<T>(),
                                                    attention_targets(tape, in, slots));
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
  using T = ElementOf<Q>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<Q>::rank == 3 && ShapeOf<K>::rank == 3,
                "attention_diagonal(q, k): q and k must be [batch, tokens, heads * head_dim]");
  WEFT_EXPECT_SAME_EXTENT(q.shape(), 0, k.shape(), 0, "attention_diagonal(q, k): q and k must have the same batch");
  const kernels::AttentionSize size = detail::query_key_size("attention_diagonal(q, k)", q, k, options);
  const auto queries = operand(context, q);
  const auto keys = operand(context, k);
  const auto alpha = detail::sharpness_operand<T>("attention_diagonal(q, k)", context, sharpness);
  const auto in = detail::query_key_input(size, queries.data, keys.data, options, alpha.data);
  const bool needs_gradient = queries.gradient || keys.gradient || alpha.gradient;
  auto y = context.template make<T>(Shape<Dyn, Dyn, Dyn, Dyn>(size.batch, size.heads, size.queries, 1), needs_gradient);
  const auto statistics = detail::make_statistics<T>(context, size, y);
  AttentionKernels<Device>::diagonal(in, y.data(), statistics);
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::AttentionDiagonalBackward<T, Device>{
                                          in,
                                          statistics,
                                          y.data(),
                                          {queries.gradient, keys.gradient, nullptr, alpha.gradient, options.sharpness},
                                          y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
