// SPDX-License-Identifier: Apache-2.0
/// \file
/// Softmax and log-sum-exp over the last axis.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/elementwise/drop_last_axis.hpp"
#include "weft/ops/softmax/softmax_kernels.hpp"

namespace weft {

namespace detail {

/// dx = y (dy - Σ y dy). Only y is kept.
template <class T, class DeviceType>
struct SoftmaxBackward {
  const T* values;
  Gradient* x;
  Gradient* y;
  Index rows;
  Index columns;

  void operator()(BasicTape<DeviceType>& tape) const {
    if (auto dx = tape.template target<T>(x)) {
      SoftmaxKernels<DeviceType>::backward(rows, columns, values, y->values<T>(), dx);
    }
  }
};

/// dx = dy exp(x - y)
template <class T, class DeviceType>
struct LogSumExpBackward {
  Operand<T> x;
  const T* values;
  Gradient* y;
  Index rows;
  Index columns;

  void operator()(BasicTape<DeviceType>& tape) const {
    if (auto dx = tape.template target<T>(x.gradient)) {
      SoftmaxKernels<DeviceType>::log_sum_exp_backward(rows, columns, x.data, values, y->values<T>(), dx);
    }
  }
};

}  // namespace detail

/// y = exp(x) / Σ exp(x) over the last axis, each row shifted by its largest element first. A row of which every
/// element is -infinity, or any is +infinity or NaN, becomes NaN throughout, as in torch.
///
/// \param x  [..., columns], any number of leading axes
/// \return   the shape of x
template <class Context, class X>
auto softmax(Context& context, const X& x) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<X>::rank >= 1, "softmax(x): x must have an axis to normalise over");
  const auto xs = operand(context, x);
  const Index columns = x.extent(-1);
  const Index rows = columns > 0 ? x.size() / columns : 0;
  auto y = context.template make<T>(x.shape(), xs.gradient != nullptr);
  SoftmaxKernels<Device>::forward(rows, columns, xs.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::SoftmaxBackward<T, Device>{y.data(), xs.gradient, y.gradient_slot(), rows, columns});
  }
  return y;
}

/// y = ln Σ exp(x) over the last axis. -infinity for a row of -infinity and for one without elements, +infinity for one
/// that holds it, NaN for one that holds a NaN, as in torch; the derivative of the first is NaN.
///
/// \param x  [..., columns], any number of leading axes
/// \return   [...], the shape of x without its last axis
template <class Context, class X>
auto log_sum_exp(Context& context, const X& x) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<X>::rank >= 1, "log_sum_exp(x): x must have an axis to sum over");
  const auto xs = operand(context, x);
  const auto shape = drop_last_axis(x.shape());
  auto y = context.template make<T>(shape, xs.gradient != nullptr);
  SoftmaxKernels<Device>::log_sum_exp(shape.size(), x.extent(-1), xs.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::LogSumExpBackward<T, Device>{xs, y.data(), y.gradient_slot(), shape.size(), x.extent(-1)});
  }
  return y;
}

}  // namespace weft
