// SPDX-License-Identifier: Apache-2.0
/// \file
/// a + b, for residual connections.
#pragma once

#include <utility>

#include "weft/autograd/operand.hpp"
#include "weft/ops/add/add_kernels.hpp"
#include "weft/ops/elementwise/same_shape.hpp"

namespace weft {

namespace detail {

/// da = db = dy. One of them takes over the memory of dy where it has none of its own yet.
template <class T, class DeviceType>
struct AddBackward {
  Gradient* a;
  Gradient* b;
  Gradient* y;
  Index count;

  void operator()(BasicTape<DeviceType>& tape) const {
    const T* dy = y->values<T>();
    Gradient* copied = a;
    Gradient* taken = b;
    if (taken == nullptr || taken->data != nullptr) std::swap(copied, taken);
    accumulate(tape, dy, copied);
    if (!tape.hand_over(y, taken)) accumulate(tape, dy, taken);
  }

 private:
  void accumulate(BasicTape<DeviceType>& tape, const T* dy, Gradient* gradient) const {
    if (auto target = tape.template target<T>(gradient)) AddKernels<DeviceType>::accumulate(count, dy, target);
  }
};

}  // namespace detail

/// y = a + b, element by element.
///
/// \param a  of any shape
/// \param b  the shape of a
/// \return   that shape
template <class Context, class A, class B>
auto add(Context& context, const A& a, const B& b) {
  using T = ElementOf<A>;
  using Device = typename Context::Device;
  static_assert(std::is_same_v<T, ElementOf<B>>, "add(a, b): a and b must have one element type");
  WEFT_EXPECT_SAME_SHAPE(a.shape(), b.shape(), "add(a, b): a and b must have the same shape");
  using YShape = MergedShape<ShapeOf<A>, ShapeOf<B>>;
  const auto as = operand(context, a);
  const auto bs = operand(context, b);
  auto y = context.template make<T>(YShape::from(a.shape().extents()), as.gradient || bs.gradient);
  AddKernels<Device>::forward(a.size(), as.data, bs.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::AddBackward<T, Device>{as.gradient, bs.gradient, y.gradient_slot(), a.size()});
  }
  return y;
}

}  // namespace weft
