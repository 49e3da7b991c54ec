// SPDX-License-Identifier: Apache-2.0
/// \file
/// The sum and the mean of all elements.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/sum/sum_kernels.hpp"

namespace weft {

namespace detail {

/// Every element receives dy / divisor.
template <class T, class DeviceType>
struct SumBackward {
  Gradient* x;
  Gradient* y;
  Index count;
  T divisor;

  void operator()(BasicTape<DeviceType>& tape) const {
    if (auto dx = tape.template target<T>(x)) SumKernels<DeviceType>::backward(count, divisor, y->values<T>(), dx);
  }
};

template <class Context, class X>
auto divided_sum(Context& context, const X& x, Index divisor) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  const auto xs = operand(context, x);
  auto y = context.template make<T>(Shape<>(), xs.gradient != nullptr);
  SumKernels<Device>::forward(x.size(), static_cast<T>(divisor), xs.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   SumBackward<T, Device>{xs.gradient, y.gradient_slot(), x.size(), static_cast<T>(divisor)});
  }
  return y;
}

}  // namespace detail

/// Σ x over all elements, 0 for none. The same bits for any number of threads.
///
/// \param x  of any shape
/// \return   a scalar, Shape<>
template <class Context, class X>
auto sum(Context& context, const X& x) {
  return detail::divided_sum(context, x, 1);
}

/// Σ x / size, NaN for no elements.
///
/// \param x  of any shape
/// \return   a scalar, Shape<>
template <class Context, class X>
auto mean(Context& context, const X& x) {
  return detail::divided_sum(context, x, x.size());
}

}  // namespace weft
