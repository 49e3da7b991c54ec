// SPDX-License-Identifier: Apache-2.0
/// \file
/// The symmetric normalisation of graph convolutions on masked adjacencies.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/normalize_adjacency/normalize_adjacency_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct NormalizeAdjacencyBackward {
  Operand<T> a;
  const T* mask;
  Gradient* y;
  Index matrices;
  Index nodes;

  void operator()(BasicTape<DeviceType>& tape) const {
    if (auto da = tape.template target<T>(a.gradient)) {
      NormalizeAdjacencyKernels<DeviceType>::backward(matrices, nodes, a.data, mask, y->values<T>(), da);
    }
  }
};

}  // namespace detail

/// y = D^(-1/2) (a m) D^(-1/2) m, element by element with the mask m, where D holds the row sums of a m; rows and columns
/// without edges become 0, negative sums NaN (_normalize_causal_adjacency of the reference's PNA classes, which they never
/// call; Kipf and Welling, arXiv 1609.02907).
///
/// \param a     [..., nodes, nodes]
/// \param mask  [nodes, nodes], no gradient flows into it; must outlive the step on a tape
/// \return      the shape of a
template <class Context, class A, class Mask>
auto normalize_adjacency(Context& context, const A& a, const Mask& mask) {
  using T = ElementOf<A>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<A>::rank >= 2 && ShapeOf<Mask>::rank == 2,
                "normalize_adjacency(a, mask): a must be [..., nodes, nodes] and mask [nodes, nodes]");
  WEFT_EXPECT_SAME_EXTENT(a.shape(), -1, a.shape(), -2, "normalize_adjacency(a, mask): the last axes of a must agree");
  WEFT_EXPECT_SAME_EXTENT(a.shape(), -1, mask.shape(), 0,
                          "normalize_adjacency(a, mask): mask must have as many rows as a");
  WEFT_EXPECT_SAME_EXTENT(a.shape(), -1, mask.shape(), 1,
                          "normalize_adjacency(a, mask): mask must have as many columns as a");
  const Index nodes = mask.extent(0);
  const Index matrices = nodes > 0 ? a.size() / (nodes * nodes) : 0;
  const auto as = operand(context, a);
  auto y = context.template make<T>(a.shape(), as.gradient != nullptr);
  NormalizeAdjacencyKernels<Device>::forward(matrices, nodes, as.data, mask.data(), y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::NormalizeAdjacencyBackward<T, Device>{as, mask.data(), y.gradient_slot(), matrices, nodes});
  }
  return y;
}

}  // namespace weft
