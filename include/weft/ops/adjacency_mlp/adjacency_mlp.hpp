// SPDX-License-Identifier: Apache-2.0
/// \file
/// A small network from the heads' attention weights of a pair of tokens to one number.
#pragma once

#include <optional>

#include "weft/autograd/operand.hpp"
#include "weft/ops/adjacency_mlp/adjacency_mlp_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct AdjacencyMLPBackward {
  AdjacencyMLPSize size;
  Operand<T> a;
  Operand<T> w0;
  Operand<T> b0;
  Operand<T> w3;
  Operand<T> b3;
  std::optional<DropoutMask> mask;
  Gradient* z;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto da = tape.template target<T>(a.gradient);
    const auto dw0 = tape.template target<T>(w0.gradient);
    const auto db0 = tape.template target<T>(b0.gradient);
    const auto dw3 = tape.template target<T>(w3.gradient);
    const auto db3 = tape.template target<T>(b3.gradient);
    const AdjacencyMLPWeights<T> weights{w0.data, b0.data, w3.data, b3.data};
    AdjacencyMLPKernels<DeviceType>::backward(size, a.data, weights, mask, z->values<T>(), da, dw0, db0, dw3, db3);
  }
};

}  // namespace detail

/// z_ij = W3 · dropout(relu(W0 a_ij + b0)) + b3, a_ij the weights of all heads from i to j. The hidden units of a pair
/// are never stored; their dropout, with probability `dropout`, draws one stream of a tape that drops.
///
/// \param a   [batch, heads, queries, keys]
/// \param w0  [hidden, heads]
/// \param b0  [hidden]
/// \param w3  [1, hidden]
/// \param b3  [1]
/// \return    [batch, 1, queries, keys]
template <class Context, class A, class W0, class B0, class W3, class B3>
auto adjacency_mlp(Context& context, const A& a, const W0& w0, const B0& b0, const W3& w3, const B3& b3,
                   double dropout = 0) {
  using T = ElementOf<A>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<A>::rank == 4, "adjacency_mlp(a, ...): a must be [batch, heads, queries, keys]");
  WEFT_EXPECT_SAME_EXTENT(a.shape(), 1, w0.shape(), 1,
                          "adjacency_mlp(a, w0, ...): w0 must have one column for each head of a");
  WEFT_EXPECT_SAME_EXTENT(w0.shape(), 0, b0.shape(), 0,
                          "adjacency_mlp(a, w0, b0, ...): b0 must have one value for each row of w0");
  WEFT_EXPECT_SAME_EXTENT(w0.shape(), 0, w3.shape(), 1,
                          "adjacency_mlp(a, w0, b0, w3, b3): w3 must have one value for each row of w0");
  const AdjacencyMLPSize size{a.extent(0), a.extent(1), a.extent(2), a.extent(3), w0.extent(0)};
  const auto as = operand(context, a);
  const auto w0s = operand(context, w0);
  const auto b0s = operand(context, b0);
  const auto w3s = operand(context, w3);
  const auto b3s = operand(context, b3);
  std::optional<DropoutMask> mask;
  if constexpr (Context::records) {
    if (context.dropping() && dropout > 0) mask.emplace(context.next_dropout_stream(), dropout);
  }
  const bool wanted = as.gradient || w0s.gradient || b0s.gradient || w3s.gradient || b3s.gradient;
  auto z = context.template make<T>(Shape<Dyn, Dyn, Dyn, Dyn>(size.batch, 1, size.queries, size.keys), wanted);
  const AdjacencyMLPWeights<T> weights{w0s.data, b0s.data, w3s.data, b3s.data};
  AdjacencyMLPKernels<Device>::forward(size, as.data, weights, mask, z.data());
  if constexpr (Context::records) {
    context.record(z.gradient_slot(),
                   detail::AdjacencyMLPBackward<T, Device>{size, as, w0s, b0s, w3s, b3s, mask, z.gradient_slot()});
  }
  return z;
}

}  // namespace weft
