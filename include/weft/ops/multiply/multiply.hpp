// SPDX-License-Identifier: Apache-2.0
/// \file
/// The product of two tensors, element by element.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/elementwise/same_shape.hpp"
#include "weft/ops/multiply/multiply_kernels.hpp"

namespace weft {

namespace detail {

/// da = dy b,  db = dy a.
template <class T, class DeviceType>
struct MultiplyBackward {
  Operand<T> a;
  Operand<T> b;
  Gradient* y;
  Index count;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto da = tape.template target<T>(a.gradient);
    const auto db = tape.template target<T>(b.gradient);
    MultiplyKernels<DeviceType>::backward(count, a.data, b.data, y->values<T>(), da, db);
  }
};

}  // namespace detail

/// y = a b, element by element.
///
/// \param a  of any shape
/// \param b  the shape of a
/// \return   that shape
template <class Context, class A, class B>
auto multiply(Context& context, const A& a, const B& b) {
  using T = ElementOf<A>;
  using Device = typename Context::Device;
  static_assert(std::is_same_v<T, ElementOf<B>>, "multiply(a, b): a and b must have one element type");
  WEFT_EXPECT_SAME_SHAPE(a.shape(), b.shape(), "multiply(a, b): a and b must have the same shape");
  using YShape = MergedShape<ShapeOf<A>, ShapeOf<B>>;
  const auto as = operand(context, a);
  const auto bs = operand(context, b);
  auto y = context.template make<T>(YShape::from(a.shape().extents()), as.gradient || bs.gradient);
  MultiplyKernels<Device>::forward(a.size(), as.data, bs.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::MultiplyBackward<T, Device>{as, bs, y.gradient_slot(), a.size()});
  }
  return y;
}

}  // namespace weft
