// SPDX-License-Identifier: Apache-2.0
/// \file
/// act(gate) * up, the heart of gated feed-forward blocks.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/elementwise/same_shape.hpp"
#include "weft/ops/gated_product/gated_product_kernels.hpp"

namespace weft {

namespace detail {

/// dgate = dy up act'(gate),  dup = dy act(gate), both computed again from gate and up. dgate takes the place of dy
/// where it is the first contribution.
template <class T, class DeviceType>
struct GatedProductBackward {
  Operand<T> gate;
  Operand<T> up;
  Gradient* y;
  Index count;
  Activation activation;

  void operator()(BasicTape<DeviceType>& tape) const {
    const T* const dy = y->values<T>();
    GradientTarget<T> dgate;
    if (gate.gradient != nullptr && tape.hand_over(y, gate.gradient)) {
      dgate = {static_cast<T*>(gate.gradient->data), false};
    } else {
      dgate = tape.template target<T>(gate.gradient);
    }
    const auto dup = tape.template target<T>(up.gradient);
    GatedProductKernels<DeviceType>::backward(activation, count, gate.data, up.data, dy, dgate, dup);
  }
};

}  // namespace detail

/// y = act(gate) up, element by element (Shazeer, arXiv 2002.05202). NaN and infinities as in `activate`.
///
/// \param gate  of any shape
/// \param up    the shape of gate
/// \return      that shape
template <class Context, class Gate, class Up>
auto gated_product(Context& context, const Gate& gate, const Up& up, Activation activation = Activation::silu) {
  using T = ElementOf<Gate>;
  using Device = typename Context::Device;
  static_assert(std::is_same_v<T, ElementOf<Up>>, "gated_product(gate, up): gate and up must have one element type");
  WEFT_EXPECT_SAME_SHAPE(gate.shape(), up.shape(), "gated_product(gate, up): gate and up must have the same shape");
  using YShape = MergedShape<ShapeOf<Gate>, ShapeOf<Up>>;
  const auto gates = operand(context, gate);
  const auto ups = operand(context, up);
  auto y = context.template make<T>(YShape::from(gate.shape().extents()), gates.gradient || ups.gradient);
  GatedProductKernels<Device>::forward(activation, gate.size(), gates.data, ups.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::GatedProductBackward<T, Device>{gates, ups, y.gradient_slot(), gate.size(), activation});
  }
  return y;
}

}  // namespace weft
