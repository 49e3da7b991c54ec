// SPDX-License-Identifier: Apache-2.0
/// \file
/// Softmax attention (Vaswani et al., arXiv 1706.03762) as an operation, without its matrix of weights.
#pragma once

#include "weft/ops/attention/attention_kernels.hpp"
#include "weft/ops/attention/attention_options.hpp"

namespace weft {

namespace detail {

/// From out and two numbers a row, which forward leaves: see attention_backward.hpp.
template <class T, class DeviceType>
struct AttentionBackward {
  kernels::AttentionInput<T> in;
  kernels::AttentionStatistics<T> statistics;
  const T* out;
  AttentionSlots slots;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    const Index width = in.size.heads * in.size.value_dim;
    AttentionKernels<DeviceType>::backward(in, attention_rows(out, in.size.queries, width), statistics,
                                           attention_rows(y->values<T>(), in.size.queries, width),
                                           attention_targets(tape, in, slots));
  }
};

/// The extents of q, k and v, or an error that says which do not fit.
template <class Q, class K, class V, class T>
kernels::AttentionSize attention_size(const Q& q, const K& k, const V& v, const AttentionOptions<T>& options) {
  static_assert(ShapeOf<Q>::rank == 3 && ShapeOf<K>::rank == 3 && ShapeOf<V>::rank == 3,
                "scaled_dot_product_attention(q, k, v): q, k and v must be [batch, tokens, heads * features]");
  WEFT_EXPECT_SAME_EXTENT(q.shape(), 0, k.shape(), 0,
                          "scaled_dot_product_attention(q, k, v): q and k must have the same batch");
  WEFT_EXPECT_SAME_EXTENT(k.shape(), 0, v.shape(), 0,
                          "scaled_dot_product_attention(q, k, v): k and v must have the same batch");
  WEFT_EXPECT_SAME_EXTENT(k.shape(), 1, v.shape(), 1,
                          "scaled_dot_product_attention(q, k, v): k and v must have as many tokens");
  kernels::AttentionSize size = query_key_size("scaled_dot_product_attention(q, k, v)", q, k, options);
  if (v.extent(2) % size.kv_heads != 0) {
    fail(concat("scaled_dot_product_attention(q, k, v): the last axis of v must be kv_heads * value_dim, found ",
                v.extent(2), " for ", size.kv_heads, " heads"));
  }
  size.value_dim = v.extent(2) / size.kv_heads;
  return size;
}

/// The width of the result as the type knows it: that of q where keys and values are known to be as wide as each other.
template <class Q, class K, class V>
constexpr auto attention_width() {
  constexpr auto keys = extent_of<ShapeOf<K>, 2>;
  constexpr auto values = extent_of<ShapeOf<V>, 2>;
  if constexpr (!is_dynamic<keys> && !is_dynamic<values> && SameExtent<keys, values>) {
    return extent_of<ShapeOf<Q>, 2>;
  } else {
    return Dyn;
  }
}

/// The operation behind its types, compiled once for each context and element type; its results are flat.
template <class T, class Context>
auto attention_flat(Context& context, const kernels::AttentionInput<T>& in, const AttentionSlots& slots) {
  using Device = typename Context::Device;
  const kernels::AttentionSize& size = in.size;
  const Index width = size.heads * size.value_dim;
  const bool needs_gradient = slots.q || slots.k || slots.v || slots.sharpness;
  auto y = context.template make<T>(Shape<Dyn>(size.batch * size.queries * width), needs_gradient);
  const auto statistics = make_statistics<T>(context, size, y);
  AttentionKernels<Device>::forward(in, kernels::AttentionRows<T>{y.data(), size.queries * width, width}, statistics);
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), AttentionBackward<T, Device>{in, statistics, y.data(), slots, y.gradient_slot()});
  }
  return y;
}

}  // namespace detail

/// For every head n: out[b, i, n, :] = Σⱼ w[b, n, i, j] v[b, j, n / (heads / kv_heads), :] with
/// w = softmaxⱼ(α · (scale · q·k + mask)). Query i stands at key position keys - queries + i. The weights are never stored:
/// memory is linear in the number of keys, forwards and backwards.
///
/// \param q          [batch, queries, heads * head_dim]
/// \param k          [batch, keys, kv_heads * head_dim], keys >= queries
/// \param v          [batch, keys, kv_heads * value_dim]; may be the same tensor as q or k
/// \param sharpness  a tensor of one element, or `none`: α is its value times `options.sharpness`
/// \return           [batch, queries, heads * value_dim]
template <class Context, class Q, class K, class V, class Sharpness = None>
auto scaled_dot_product_attention(Context& context, const Q& q, const K& k, const V& v,
                                  const AttentionOptions<ElementOf<Q>>& options, const Sharpness& sharpness = none) {
  using T = ElementOf<Q>;
  const kernels::AttentionSize size = detail::attention_size(q, k, v, options);
  const auto queries = operand(context, q);
  const auto keys = operand(context, k);
  const auto values = operand(context, v);
  const auto alpha = detail::sharpness_operand<T>("scaled_dot_product_attention(q, k, v)", context, sharpness);
  kernels::AttentionInput<T> in = detail::query_key_input(size, queries.data, keys.data, options, alpha.data);
  in.v = detail::attention_rows(values.data, size.keys, size.kv_heads * size.value_dim);

  using YShape = ReplaceAxis<ShapeOf<Q>, 2, detail::attention_width<Q, K, V>()>;
  const auto shape = YShape::from({size.batch, size.queries, size.heads * size.value_dim});
  const detail::AttentionSlots slots{queries.gradient, keys.gradient, values.gradient, alpha.gradient,
                                     options.sharpness};
  return detail::attention_flat(context, in, slots).reshape(shape);
}

}  // namespace weft
