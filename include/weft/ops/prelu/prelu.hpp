// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rectifier with a learned slope.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/prelu/prelu_kernels.hpp"

namespace weft {

namespace detail {

/// dx = dy (x > 0 ? 1 : slope),  dslope = Σ dy min(x, 0).
template <class T, class DeviceType>
struct PReLUBackward {
  Operand<T> x;
  Operand<T> slope;
  Gradient* y;
  Index count;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = PReLUKernels<DeviceType>;
    const T* dy = y->values<T>();
    if (auto dslope = tape.template target<T>(slope.gradient)) Kernels::backward_slope(count, x.data, dy, dslope);
    if (auto dx = tape.template target<T>(x.gradient)) Kernels::backward_input(count, x.data, *slope.data, dy, dx);
  }
};

}  // namespace detail

/// y = x where x > 0, slope x elsewhere (He et al., arXiv 1502.01852; torch.nn.PReLU with one parameter). At 0 the
/// derivative is the slope.
///
/// \param x      of any shape
/// \param slope  one element
/// \return       the shape of x
template <class Context, class X, class Slope>
auto prelu(Context& context, const X& x, const Slope& slope) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  static_assert(std::is_same_v<T, ElementOf<Slope>>, "prelu(x, slope): x and slope must have one element type");
  if (slope.size() != 1) {
    fail(concat("prelu(x, slope): slope must have one element, found shape ", slope.shape().text()));
  }
  const auto xs = operand(context, x);
  const auto slopes = operand(context, slope);
  auto y = context.template make<T>(x.shape(), xs.gradient || slopes.gradient);
  PReLUKernels<Device>::forward(x.size(), xs.data, *slopes.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::PReLUBackward<T, Device>{xs, slopes, y.gradient_slot(), x.size()});
  }
  return y;
}

}  // namespace weft
