// SPDX-License-Identifier: Apache-2.0
/// \file
/// The largest neighbour along a dense adjacency, channel by channel, for every head.
#pragma once

#include "weft/ops/adjacency/adjacency_operand.hpp"
#include "weft/ops/head_aggregate/head_aggregate.hpp"
#include "weft/ops/neighbour_max/neighbour_max_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct NeighbourMaxBackward {
  HeadAggregateSize size;
  const T* from;
  Gradient* u;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    NeighbourMaxKernels<DeviceType>::backward(size, from, y->values<T>(), adding_target<T>(tape, u));
  }
};

}  // namespace detail

/// y[b, i, h, c] = max over {j : a[b, h, i, j] > 0} of u[b, j, h, c], 0 where a row has no neighbour (the max aggregator of
/// Corso et al., arXiv 2004.05718). The gradient goes to the first of equal values; none to a.
///
/// \param a  [batch, heads, queries, keys]
/// \param u  [batch, keys, heads * dim]
/// \return   [batch, queries, heads * dim]
template <class Context, class Adjacency, class U>
auto neighbour_max(Context& context, const Adjacency& a, const U& u) {
  using T = ElementOf<U>;
  using Device = typename Context::Device;
  const HeadAggregateSize size = detail::head_aggregate_size("neighbour_max(a, u)", a, u);
  using YShape = ReplaceAxis<ShapeOf<U>, 1, extent_of<ShapeOf<Adjacency>, 2>>;
  const auto us = operand(context, u);
  T* from = context.workspace().template allocate<T>(size.batch * size.queries * size.width());
  auto y = context.template make<T>(YShape::from({size.batch, size.queries, size.width()}), us.gradient != nullptr);
  NeighbourMaxKernels<Device>::forward(size, a.data(), us.data, size.keys * size.width(), y.data(), from);
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::NeighbourMaxBackward<T, Device>{size, from, us.gradient, y.gradient_slot()});
  }
  return y;
}

/// The same with u in a cache, for inference.
///
/// \param a  [batch, heads, new tokens, tokens]
/// \return   [batch, new tokens, heads * dim]
template <class Context, class Adjacency, class T>
auto neighbour_max(Context& context, const Adjacency& a, const CachedRows<T>& u) {
  static_assert(!Context::records, "neighbour_max(a, cached rows): decoding is for inference");
  const HeadAggregateSize size = detail::head_aggregate_size("neighbour_max(a, u)", a, u);
  auto y = context.template make<T>(Shape<Dyn, Dyn, Dyn>(size.batch, size.queries, size.width()));
  const auto result_end = context.workspace().mark();
  T* from = context.workspace().template allocate<T>(y.size());
  NeighbourMaxKernels<typename Context::Device>::forward(size, a.data(), u.data, u.batch_stride(), y.data(), from);
  context.workspace().release(result_end);
  return y;
}

}  // namespace weft
