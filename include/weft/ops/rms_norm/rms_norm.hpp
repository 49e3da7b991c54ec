// SPDX-License-Identifier: Apache-2.0
/// \file
/// Root-mean-square normalisation over the last axis.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/rms_norm/rms_norm_kernels.hpp"

namespace weft {

namespace detail {

/// dx = r (weight dy - x r² mean(weight dy x)),  dweight = Σ over rows of dy x r. Nothing is kept but x: r costs less
/// than reading it.
template <class T, class DeviceType>
struct RMSNormBackward {
  Operand<T> x;
  Operand<T> weight;
  Gradient* y;
  RMSNormSize<T> size;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto dx = tape.template target<T>(x.gradient);
    const auto dweight = tape.template target<T>(weight.gradient);
    RMSNormKernels<DeviceType>::backward(size, x.data, weight.data, y->values<T>(), dx, dweight);
  }
};

}  // namespace detail

/// y = weight x r, r = 1 / sqrt(mean(x²) + eps), over the last axis (Zhang and Sennrich, arXiv 1910.07467;
/// LlamaRMSNorm). A row that holds a NaN or an infinity becomes NaN where it holds it; a row whose squares overflow
/// becomes 0, as in torch.
///
/// \param x       [..., features], any number of leading axes
/// \param weight  [features]
/// \return        the shape of x
template <class Context, class X, class Weight>
auto rms_norm(Context& context, const X& x, const Weight& weight, double eps) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<X>::rank >= 1 && ShapeOf<Weight>::rank == 1,
                "rms_norm(x, weight): x must have an axis of features and weight one value for each of them");
  static_assert(std::is_same_v<T, ElementOf<Weight>>, "rms_norm(x, weight): x and weight must have one element type");
  WEFT_EXPECT_SAME_EXTENT(x.shape(), -1, weight.shape(), 0,
                          "rms_norm(x, weight): weight must have one value for each feature, the last axis of x");
  const auto xs = operand(context, x);
  const auto weights = operand(context, weight);
  const Index features = weight.extent(0);
  const RMSNormSize<T> size{features > 0 ? x.size() / features : 0, features, static_cast<T>(eps)};
  auto y = context.template make<T>(x.shape(), xs.gradient || weights.gradient);
  RMSNormKernels<Device>::forward(size, xs.data, weights.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::RMSNormBackward<T, Device>{xs, weights, y.gradient_slot(), size});
  }
  return y;
}

}  // namespace weft
