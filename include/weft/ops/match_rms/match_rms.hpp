// SPDX-License-Identifier: Apache-2.0
/// \file
/// Bringing one tensor to the size of another.
#pragma once

#include <cmath>

#include "weft/autograd/operand.hpp"
#include "weft/ops/elementwise/same_shape.hpp"
#include "weft/ops/match_rms/match_rms_kernels.hpp"

namespace weft {

namespace detail {

/// With f = sqrt(Σ z² / Σ x²) and s = Σ dy x: dx = f dy - f s / Σ x² x,  dz = f s / Σ z² z.
template <class T, class DeviceType>
struct MatchRMSBackward {
  Operand<T> x;
  Operand<T> z;
  Gradient* y;
  Index count;
  T x_squares;
  T z_squares;
  bool zero_guard;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = MatchRMSKernels<DeviceType>;
    const T* dy = y->values<T>();
    const bool degenerate = zero_guard && (x_squares == 0 || z_squares == 0);
    const T factor = degenerate ? T{0} : std::sqrt(z_squares / x_squares);
    const T s = factor * Kernels::dot(count, dy, x.data);
    if (auto dx = tape.template target<T>(x.gradient)) {
      Kernels::combine(count, factor, dy, degenerate ? T{0} : -s / x_squares, x.data, dx);
    }
    if (auto dz = tape.template target<T>(z.gradient)) {
      Kernels::combine(count, T{0}, dy, degenerate ? T{0} : s / z_squares, z.data, dz);
    }
  }
};

}  // namespace detail

/// y = x rms(z) / rms(x), each root mean square over the whole tensor, batch and tokens alike (`norm_to_hidden_states`,
/// quirk D16: neither causal nor separate for the texts of a batch). Where x or z is 0 throughout, y is 0 and no gradient
/// flows. Without the guard 0 is divided by 0 there, as in the reference: y is NaN for x = 0, the gradients are for either.
///
/// \param x           of any shape
/// \param z           the shape of x
/// \param zero_guard  see above
/// \return            the shape of x
template <class Context, class X, class Z>
auto match_rms(Context& context, const X& x, const Z& z, bool zero_guard = true) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  using Kernels = MatchRMSKernels<Device>;
  WEFT_EXPECT_SAME_SHAPE(x.shape(), z.shape(), "match_rms(x, z): x and z must have the same shape");
  const auto xs = operand(context, x);
  const auto zs = operand(context, z);
  const Index count = x.size();
  const T x_squares = Kernels::dot(count, xs.data, xs.data);
  const T z_squares = Kernels::dot(count, zs.data, zs.data);
  const T factor = zero_guard && x_squares == 0 ? T{0} : std::sqrt(z_squares / x_squares);
  auto y = context.template make<T>(x.shape(), xs.gradient || zs.gradient);
  Kernels::combine(count, factor, xs.data, T{0}, xs.data, GradientTarget<T>{y.data(), false});
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::MatchRMSBackward<T, Device>{xs, zs, y.gradient_slot(), count, x_squares,
                                                                          z_squares, zero_guard});
  }
  return y;
}

}  // namespace weft
