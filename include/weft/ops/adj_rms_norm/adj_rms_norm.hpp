// SPDX-License-Identifier: Apache-2.0
/// \file
/// A norm by one number for each sample: the root mean square of all its entries.
#pragma once

#include "weft/ops/adj_rms_norm/adj_rms_norm_kernels.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct AdjRMSNormBackward {
  Index samples;
  Index count;
  double eps;
  Operand<T> x;
  Operand<T> weight;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto dx = tape.template target<T>(x.gradient);
    const T factor = weight.data != nullptr ? *weight.data : T{1};
    const double d_weight =
        AdjRMSNormKernels<DeviceType>::backward(samples, count, eps, factor, x.data, y->values<T>(), dx);
    if (auto dw = tape.template target<T>(weight.gradient)) {
      *dw.data = (dw.accumulate ? *dw.data : T{0}) + static_cast<T>(d_weight);
    }
  }
};

}  // namespace detail

/// y = weight x / sqrt(mean(x²) + eps), with the mean over everything but the first axis.
///
/// \param x       [batch, ...]
/// \param weight  a tensor of one element, or `none`
template <class Context, class X, class Weight = None>
auto adj_rms_norm(Context& context, const X& x, const Weight& weight = none, double eps = 1e-8) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<X>::rank >= 2, "adj_rms_norm(x): x must be [batch, ...]");
  const auto xs = operand(context, x);
  const auto weights = detail::optional_operand<Context, Weight, T>(context, weight);
  const Index samples = x.extent(0);
  const Index count = samples > 0 ? x.size() / samples : 0;
  auto y = context.template make<T>(x.shape(), xs.gradient || weights.gradient);
  const T factor = weights.data != nullptr ? *weights.data : T{1};
  AdjRMSNormKernels<Device>::forward(samples, count, eps, factor, xs.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::AdjRMSNormBackward<T, Device>{samples, count, eps, xs, weights, y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
