// SPDX-License-Identifier: Apache-2.0
/// \file
/// Products of pairs of matrices (torch.bmm).
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/batched_matmul/batched_matmul_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct BatchedMatmulBackward {
  BatchedMatmulSize size;
  Operand<T> a;
  Operand<T> b;
  Gradient* c;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = BatchedMatmulKernels<DeviceType>;
    const T* dc = c->values<T>();
    if (auto da = tape.template target<T>(a.gradient)) Kernels::backward_first(size, dc, b.data, da);
    if (auto db = tape.template target<T>(b.gradient)) Kernels::backward_second(size, dc, a.data, db);
  }
};

}  // namespace detail

/// c[i] = a[i] b[i].
///
/// \param a  [batch, rows, inner]
/// \param b  [batch, inner, columns]
/// \return   [batch, rows, columns]
template <class Context, class A, class B>
auto batched_matmul(Context& context, const A& a, const B& b) {
  using T = ElementOf<A>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<A>::rank == 3 && ShapeOf<B>::rank == 3,
                "batched_matmul(a, b): a must be [batch, rows, inner] and b [batch, inner, columns]");
  WEFT_EXPECT_SAME_EXTENT(a.shape(), 0, b.shape(), 0, "batched_matmul(a, b): a and b must have the same batch");
  WEFT_EXPECT_SAME_EXTENT(a.shape(), 2, b.shape(), 1,
                          "batched_matmul(a, b): the last axis of a must equal the middle axis of b");
  const BatchedMatmulSize size{a.extent(0), a.extent(1), a.extent(2), b.extent(2)};
  using Result = ReplaceAxis<ShapeOf<A>, 2, extent_of<ShapeOf<B>, 2>>;
  const auto as = operand(context, a);
  const auto bs = operand(context, b);
  auto c = context.template make<T>(Result::from({size.batch, size.rows, size.columns}), as.gradient || bs.gradient);
  BatchedMatmulKernels<Device>::forward(size, as.data, bs.data, c.data());
  if constexpr (Context::records) {
    context.record(c.gradient_slot(), detail::BatchedMatmulBackward<T, Device>{size, as, bs, c.gradient_slot()});
  }
  return c;
}

}  // namespace weft
