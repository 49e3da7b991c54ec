// SPDX-License-Identifier: Apache-2.0
/// \file
/// A tensor times a number, given or learned.
#pragma once

#include <type_traits>

#include "weft/autograd/operand.hpp"
#include "weft/ops/scale/scale_kernels.hpp"

namespace weft {

namespace detail {

/// dx = factor dy,  dfactor = Σ dy x.
template <class T, class DeviceType>
struct ScaleBackward {
  Operand<T> x;
  Operand<T> factor;
  T number;
  Gradient* y;
  Index count;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = ScaleKernels<DeviceType>;
    const T* dy = y->values<T>();
    if (auto dfactor = tape.template target<T>(factor.gradient)) Kernels::backward_factor(count, x.data, dy, dfactor);
    if (auto dx = tape.template target<T>(x.gradient)) Kernels::backward_input(count, dy, number, factor.data, dx);
  }
};

}  // namespace detail

/// y = factor x.
///
/// \param x       of any shape
/// \param factor  a number, or a tensor or parameter of one element (shape [] or [1]), which then receives a gradient
/// \return        the shape of x
template <class Context, class X, class Factor>
auto scale(Context& context, const X& x, const Factor& factor) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  const auto xs = operand(context, x);
  Operand<T> factors;
  T number{1};
  if constexpr (std::is_arithmetic_v<Factor>) {
    number = static_cast<T>(factor);
  } else {
    static_assert(std::is_same_v<T, ElementOf<Factor>>, "scale(x, factor): x and factor must have one element type");
    static_assert(ShapeOf<Factor>::rank <= 1, "scale(x, factor): factor must be a number or have one element");
    if (factor.size() != 1) {
      fail(
          concat("scale(x, factor): factor must be a number or have one element, found shape ", factor.shape().text()));
    }
    factors = operand(context, factor);
  }
  auto y = context.template make<T>(x.shape(), xs.gradient || factors.gradient);
  ScaleKernels<Device>::forward(x.size(), xs.data, number, factors.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::ScaleBackward<T, Device>{xs, factors, number, y.gradient_slot(), x.size()});
  }
  return y;
}

}  // namespace weft
