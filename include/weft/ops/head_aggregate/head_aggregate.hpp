// SPDX-License-Identifier: Apache-2.0
/// \file
/// One step along a dense adjacency, for every head on its own channels.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/head_aggregate/head_aggregate_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct HeadAggregateBackward {
  HeadAggregateSize size;
  Operand<T> a;
  Operand<T> u;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = HeadAggregateKernels<DeviceType>;
    const T* dy = y->values<T>();
    if (auto da = tape.template target<T>(a.gradient)) Kernels::backward_weights(size, dy, u.data, da);
    if (auto du = tape.template target<T>(u.gradient)) Kernels::backward_values(size, dy, a.data, du);
  }
};

/// The extents of an adjacency [batch, heads, queries, keys] and of u [batch, keys, heads * dim].
template <class Adjacency, class U>
HeadAggregateSize head_aggregate_size(std::string_view operation, const Adjacency& a, const U& u) {
  static_assert(ShapeOf<Adjacency>::rank == 4 && ShapeOf<U>::rank == 3,
                "head_aggregate(a, u): a must be [batch, heads, queries, keys] and u [batch, keys, heads * dim]");
  WEFT_EXPECT_SAME_EXTENT(a.shape(), 0, u.shape(), 0, "head_aggregate(a, u): a and u must have the same batch");
  WEFT_EXPECT_SAME_EXTENT(a.shape(), 3, u.shape(), 1,
                          "head_aggregate(a, u): the last axis of a [batch, heads, queries, keys] must equal the "
                          "middle axis of u [batch, keys, heads * dim]");
  const Index heads = a.extent(1);
  if (heads < 1 || u.extent(2) % heads != 0) {
    fail(concat(operation, ": the last axis of u must be heads * dim, found ", u.extent(2), " for ", heads, " heads"));
  }
  return {a.extent(0), heads, a.extent(2), a.extent(3), u.extent(2) / heads};
}

/// The same for rows in a cache.
template <class Adjacency, class T>
HeadAggregateSize head_aggregate_size(std::string_view operation, const Adjacency& a, const CachedRows<T>& u) {
  const Index heads = a.extent(1);
  if (a.extent(0) != u.batch || a.extent(3) != u.tokens || heads < 1 || u.width % heads != 0) {
    fail(concat(operation, ": a must be [", u.batch, ", heads, new tokens, ", u.tokens,
                "] with a number of heads that divides ", u.width, ", as the cache has it, found ", a.shape().text()));
  }
  return {a.extent(0), heads, a.extent(2), a.extent(3), u.width / heads};
}

}  // namespace detail

/// y[b, i, h, :] = Σⱼ a[b, h, i, j] u[b, j, h, :]. Heads lie side by side in u and y and are not moved. Columns behind the
/// last entry of a block of rows, as under a causal mask, are skipped.
///
/// \param a  [batch, heads, queries, keys]
/// \param u  [batch, keys, heads * dim]
/// \return   [batch, queries, heads * dim]
template <class Context, class Adjacency, class U>
auto head_aggregate(Context& context, const Adjacency& a, const U& u) {
  using T = ElementOf<U>;
  using Device = typename Context::Device;
  static_assert(std::is_same_v<T, ElementOf<Adjacency>>, "head_aggregate(a, u): a and u must have one element type");
  const HeadAggregateSize size = detail::head_aggregate_size("head_aggregate(a, u)", a, u);
  using YShape = ReplaceAxis<ShapeOf<U>, 1, extent_of<ShapeOf<Adjacency>, 2>>;
  const auto as = operand(context, a);
  const auto us = operand(context, u);
  auto y = context.template make<T>(YShape::from({size.batch, size.queries, size.width()}), as.gradient || us.gradient);
  HeadAggregateKernels<Device>::forward(size, as.data, us.data, size.keys * size.width(), y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::HeadAggregateBackward<T, Device>{size, as, us, y.gradient_slot()});
  }
  return y;
}

/// The same with u in a cache, for inference.
///
/// \param a  [batch, heads, new tokens, tokens]
/// \return   [batch, new tokens, heads * dim]
template <class Context, class Adjacency, class T>
auto head_aggregate(Context& context, const Adjacency& a, const CachedRows<T>& u) {
  static_assert(!Context::records, "head_aggregate(a, cached rows): decoding is for inference");
  const HeadAggregateSize size = detail::head_aggregate_size("head_aggregate(a, u)", a, u);
  auto y = context.template make<T>(Shape<Dyn, Dyn, Dyn>(size.batch, size.queries, size.width()));
  HeadAggregateKernels<typename Context::Device>::forward(size, a.data(), u.data, u.batch_stride(), y.data());
  return y;
}

}  // namespace weft
