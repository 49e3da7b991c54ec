// SPDX-License-Identifier: Apache-2.0
/// \file
/// What several aggregators make of a node's neighbours in a processed adjacency.
#pragma once

#include <algorithm>

#include "weft/ops/adjacency/adjacency_source.hpp"
#include "weft/ops/pna/pna_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct PNABackward {
  PairAdjacency<T> source;
  PNAInput<T> in;
  Gradient* v;
  const T* result;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = PNAKernels<DeviceType>;
    struct Scratch {};
    const auto dv = adding_rows(tape, v, in.v);
    T* d_moments = nullptr;
    if (dv.data != nullptr) {
      const Index count = in.size().batch * in.size().keys * in.moment_row();
      d_moments = thread_scratch<Scratch, T>(count);
      std::fill_n(d_moments, count, T{0});
    }
    source.backward(tape, [&](const auto&, const kernels::AdjacencyGradients<T>& gradients) {
      return Kernels::backward(in, result, y->values<T>(), gradients, d_moments, dv);
    });
    if (d_moments != nullptr) Kernels::finish(in, d_moments, dv);
  }
};

}  // namespace detail

/// Four aggregates of every node and head over the rows of P = the source's adjacency, with x the values (Corso et al., arXiv
/// 2004.05718, weighted): sum Σⱼ Pᵢⱼ xⱼ, mean = sum / Σⱼ Pᵢⱼ, variance, and extremes. P is made by blocks of rows and never
/// stored: memory is linear in the number of keys, forwards and backwards. No gradient passes through the choice of extremes.
///
/// \tparam ShapeType  of the result
/// \param source      a `PairAdjacency`
/// \param v           `rows_operand` of [batch, keys, kv_heads * dim], or a cache
/// \return            [batch, queries, heads * 4 * dim]
template <class ShapeType = Shape<Dyn, Dyn, Dyn>, class Context, class T>
auto pna_attention(Context& context, const PairAdjacency<T>& source, const RowsOperand<T>& v,
                   const PNAAttentionRules& rules) {
  using Device = typename Context::Device;
  using Kernels = PNAKernels<Device>;
  const kernels::AttentionSize& size = source.in.size();
  if (v.batch != size.batch || v.tokens != size.keys || v.width % size.kv_heads != 0) {
    fail(concat("pna_attention(source, v): v must be [", size.batch, ", ", size.keys, ", ", size.kv_heads,
                " * dim], found [", v.batch, ", ", v.tokens, ", ", v.width, "]"));
  }
  PNAInput<T> in{source.in, rules, v.width / size.kv_heads, v.rows, nullptr, nullptr, nullptr};
  const bool needs_gradient = source.needs_gradient() || v.gradient != nullptr;
  auto y =
      context.template make<T>(ShapeType::from({size.batch, size.queries, size.heads * 4 * in.dim}), needs_gradient);
  auto& workspace = context.workspace();
  const auto result_end = workspace.mark();
  T* moments = workspace.template allocate<T>(size.batch * size.keys * in.moment_row());
  T* norms = rules.selects() ? workspace.template allocate<T>(size.batch * size.keys * size.kv_heads) : nullptr;
  in.from = workspace.template allocate<T>(in.from_size());
  in.moments = moments;
  in.norms = norms;
  Kernels::prepare(in, moments, norms);
  Kernels::forward(in, y.data());
  if constexpr (Context::records) {
    if (y.gradient_slot() != nullptr) {
      context.record(y.gradient_slot(),
                     detail::PNABackward<T, Device>{source, in, v.gradient, y.data(), y.gradient_slot()});
      return y;
    }
  }
  workspace.release(result_end);
  return y;
}

}  // namespace weft
