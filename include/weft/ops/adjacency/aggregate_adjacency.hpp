// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is done with a processed adjacency: values are summed with its entries, or it becomes a tensor itself.
#pragma once

#include "weft/ops/adjacency/adjacency_source.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType, class Source>
struct AggregateAdjacencyBackward {
  Source source;
  RowsOperand<T> v;
  Index value_dim;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    source.backward(tape, [&](const auto& in, const auto& gradients) {
      const auto dv = adding_rows(tape, v.gradient, v.rows);
      const auto d_out = attention_rows(y->values<T>(), in.size().queries, in.size().heads * value_dim);
      return AdjacencyKernels<DeviceType>::aggregate_backward(in, value_dim, v.rows, d_out, gradients, dv);
    });
  }
};

template <class T, class DeviceType, class Source>
struct AdjacencyWeightsBackward {
  Source source;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    source.backward(tape, [&](const auto& in, const auto& gradients) {
      return AdjacencyKernels<DeviceType>::weights_backward(in, y->values<T>(), gradients);
    });
  }
};

}  // namespace detail

/// For every head n: out[b, i, n, :] = Σⱼ P[b, n, i, j] v[b, j, n / (heads / kv_heads), :]. P is made block by block and never
/// stored: memory is linear in the number of keys, forwards and backwards.
///
/// \tparam ShapeType  of the result
/// \param source      a `PairAdjacency`, `DifferentialAdjacency` or `ScoringAdjacency`
/// \param v           `rows_operand` of [batch, keys, kv_heads * value_dim], or a cache
/// \return            [batch, queries, heads * value_dim]
template <class ShapeType = Shape<Dyn, Dyn, Dyn>, class Context, class Source, class T>
auto aggregate_adjacency(Context& context, const Source& source, const RowsOperand<T>& v) {
  using Device = typename Context::Device;
  const kernels::AttentionSize& size = source.in.size();
  if (v.batch != size.batch || v.tokens != size.keys || v.width % size.kv_heads != 0) {
    fail(concat("aggregate_adjacency(source, v): v must be [", size.batch, ", ", size.keys, ", ", size.kv_heads,
                " * value_dim], found [", v.batch, ", ", v.tokens, ", ", v.width, "]"));
  }
  const Index value_dim = v.width / size.kv_heads;
  const bool needs_gradient = source.needs_gradient() || v.gradient != nullptr;
  auto y =
      context.template make<T>(ShapeType::from({size.batch, size.queries, size.heads * value_dim}), needs_gradient);
  AdjacencyKernels<Device>::aggregate(
      source.in, value_dim, v.rows,
      kernels::AttentionRows<T>{y.data(), size.queries * size.heads * value_dim, size.heads * value_dim});
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::AggregateAdjacencyBackward<T, Device, Source>{source, v, value_dim, y.gradient_slot()});
  }
  return y;
}

/// P as a tensor, [batch, heads, queries, keys]: for what works on it, and for pictures.
template <class ShapeType = Shape<Dyn, Dyn, Dyn, Dyn>, class Context, class Source>
auto adjacency_weights(Context& context, const Source& source) {
  using T = typename Source::Element;
  using Device = typename Context::Device;
  const kernels::AttentionSize& size = source.in.size();
  auto y = context.template make<T>(ShapeType::from({size.batch, size.heads, size.queries, size.keys}),
                                    source.needs_gradient());
  AdjacencyKernels<Device>::weights(source.in, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::AdjacencyWeightsBackward<T, Device, Source>{source, y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
