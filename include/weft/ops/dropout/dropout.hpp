// SPDX-License-Identifier: Apache-2.0
/// \file
/// Dropout.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/dropout/dropout_kernels.hpp"

namespace weft {

namespace detail {

/// dx = dy mask / (1 - p), the mask drawn again.
template <class T, class DeviceType>
struct DropoutBackward {
  Gradient* x;
  Gradient* y;
  Index count;
  DropoutMask mask;

  void operator()(BasicTape<DeviceType>& tape) const {
    if (auto dx = tape.template target<T>(x)) DropoutKernels<DeviceType>::backward(mask, count, y->values<T>(), dx);
  }
};

/// x itself as a result of the context: the same elements, the same gradient.
template <class Context, class X>
auto as_result([[maybe_unused]] const Context& context, const X& x) {
  using T = ElementOf<X>;
  // Operations only read their arguments, so a result may stand for elements that the caller holds as constants.
  const TensorView<T, ShapeOf<X>, typename Context::Device> view(const_cast<T*>(x.data()), x.shape());
  if constexpr (Context::records) {
    return typename Context::template Result<T, ShapeOf<X>>(view, operand(context, x).gradient);
  } else {
    return view;
  }
}

}  // namespace detail

/// On a tape whose dropout is switched on: each element is kept with probability 1 - p and divided by 1 - p, or becomes
/// 0 (Srivastava et al., JMLR 15, 2014). Each call takes the tape's next stream of random numbers, and whether element
/// i is kept depends on that stream and i alone. Elsewhere, and where p is 0, the result is x itself, not a copy.
///
/// \param x            of any shape
/// \param probability  p, in [0, 1)
/// \return             the shape of x
template <class Context, class X>
auto dropout(Context& context, const X& x, double probability) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  const auto mask = next_dropout_mask(context, probability, "dropout(x, probability)");
  if constexpr (!Context::records) {
    return detail::as_result(context, x);
  } else {
    if (!mask) return detail::as_result(context, x);
    const auto xs = operand(context, x);
    auto y = context.template make<T>(x.shape(), xs.gradient != nullptr);
    DropoutKernels<Device>::forward(*mask, x.size(), xs.data, y.data());
    context.record(y.gradient_slot(),
                   detail::DropoutBackward<T, Device>{xs.gradient, y.gradient_slot(), x.size(), *mask});
    return y;
  }
}

}  // namespace weft
