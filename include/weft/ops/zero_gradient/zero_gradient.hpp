// SPDX-License-Identifier: Apache-2.0
/// \file
/// Says that a result depends on parameters whose influence is exactly zero, where computing them would be waste.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/add/add_kernels.hpp"

namespace weft {

namespace detail {

/// d parameter = 0, d x = dy.
template <class T, class DeviceType>
struct ZeroGradientBackward {
  Gradient* parameter;
  Gradient* x;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto target = tape.template target<T>(parameter);
    if (!target.accumulate) DeviceType::zero(target.data, parameter->bytes);
    if (tape.hand_over(y, x)) return;
    const auto count = static_cast<Index>(y->bytes / sizeof(T));
    AddKernels<DeviceType>::accumulate(count, y->values<T>(), tape.template target<T>(x));
  }
};

}  // namespace detail

/// x itself. On a tape the parameter then has a gradient of zeros instead of none, so that an optimiser decays it as it
/// would if the parameter had been used.
///
/// \param x          a result of the context
/// \param parameter  of any shape
template <class Context, class X, class Parameter>
X with_zero_gradient([[maybe_unused]] Context& context, const X& x, [[maybe_unused]] const Parameter& parameter) {
  if constexpr (!Context::records) {
    return x;
  } else {
    using T = ElementOf<X>;
    Gradient* const slot = operand(context, parameter).gradient;
    Gradient* const before = operand(context, x).gradient;
    if (slot == nullptr) return x;
    auto y = context.overwrite(x, true);
    context.record(y.gradient_slot(),
                   detail::ZeroGradientBackward<T, typename Context::Device>{slot, before, y.gradient_slot()});
    return y;
  }
}

}  // namespace weft
