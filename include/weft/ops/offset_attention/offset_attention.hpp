// SPDX-License-Identifier: Apache-2.0
/// \file
/// Attention whose scores are offset by the logarithm of an adjacency.
#pragma once

#include "weft/ops/adjacency/adjacency_operand.hpp"
#include "weft/ops/head_aggregate/head_aggregate.hpp"
#include "weft/ops/offset_attention/offset_attention_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct OffsetAttentionBackward {
  OffsetAttentionInput<T> in;
  Gradient* q;
  Gradient* k;
  Gradient* v;
  Gradient* a;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    T* dq = adding_target<T>(tape, q);
    T* dk = adding_target<T>(tape, k);
    T* dv = adding_target<T>(tape, v);
    const auto da = tape.template target<T>(a);
    OffsetAttentionKernels<DeviceType>::backward(in, y->values<T>(), dq, dk, dv, da);
  }
};

}  // namespace detail

/// For every head y = softmax(scale q kᵀ + log(A + 1e-9)) v, by blocks of rows: the weights are not stored. Negative
/// entries of A count as 0.
///
/// \param q, k, v    [batch, tokens, heads * dim]
/// \param a          [batch, heads, tokens, tokens]
/// \param first_key  [batch, tokens]: where each token's packed sequence begins, outside of which it has no weights; must
///                   outlive the step on a tape. Null: one sequence a row
/// \return           the shape of v
template <class Context, class Q, class K, class V, class Adjacency>
auto offset_attention(Context& context, const Q& q, const K& k, const V& v, const Adjacency& a, double scale,
                      FutureMask mask = FutureMask::soft_log, const std::int32_t* first_key = nullptr) {
  using T = ElementOf<V>;
  using Device = typename Context::Device;
  const HeadAggregateSize size = detail::head_aggregate_size("offset_attention(q, k, v, a)", a, v);
  if (!(q.shape() == v.shape()) || !(k.shape() == v.shape()) || size.queries != size.keys) {
    fail(concat("offset_attention(q, k, v, a): q, k and v must have one shape and a must be square, found ",
                q.shape().text(), ", ", k.shape().text(), ", ", v.shape().text(), " and ", a.shape().text()));
  }
  const auto qs = operand(context, q);
  const auto ks = operand(context, k);
  const auto vs = operand(context, v);
  const auto as = operand(context, a);
  auto y = context.template make<T>(v.shape(), qs.gradient || ks.gradient || vs.gradient || as.gradient);
  const OffsetAttentionInput<T> in{{size.batch, size.heads, size.queries, size.keys, size.dim},
                                   mask,
                                   static_cast<T>(scale),
                                   qs.data,
                                   ks.data,
                                   vs.data,
                                   as.data,
                                   first_key};
  OffsetAttentionKernels<Device>::forward(in, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::OffsetAttentionBackward<T, Device>{
                                          in, qs.gradient, ks.gradient, vs.gradient, as.gradient, y.gradient_slot()});
  }
  return y;
}

/// The same for new tokens, whose keys and values are in a cache already; for inference.
///
/// \param q     [batch, new tokens, heads * dim]
/// \param k, v  of all tokens
/// \param a     [batch, heads, new tokens, tokens]
/// \return      the shape of q
template <class Context, class Q, class T, class Adjacency>
auto offset_attention(Context& context, const Q& q, const CachedRows<T>& k, const CachedRows<T>& v, const Adjacency& a,
                      double scale, FutureMask mask) {
  static_assert(!Context::records, "offset_attention(q, cached rows): decoding is for inference");
  const HeadAggregateSize size = detail::head_aggregate_size("offset_attention(q, k, v, a)", a, v);
  auto y = context.template make<T>(q.shape());
  OffsetAttentionKernels<typename Context::Device>::forward(
      OffsetAttentionInput<T>{{size.batch, size.heads, size.queries, size.keys, size.dim},
                              mask,
                              static_cast<T>(scale),
                              q.data(),
                              k.data,
                              v.data,
                              a.data(),
                              nullptr,
                              v.capacity},
      y.data());
  return y;
}

/// Whether an adjacency has an entry below 0.
template <class Context, class Adjacency>
bool has_negative(Context& /*context*/, const Adjacency& a) {
  return OffsetAttentionKernels<typename Context::Device>::has_negative(a.size(), a.data());
}

}  // namespace weft
