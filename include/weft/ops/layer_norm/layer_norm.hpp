// SPDX-License-Identifier: Apache-2.0
/// \file
/// Layer normalisation over the last axis.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/layer_norm/layer_norm_kernels.hpp"

namespace weft {

namespace detail {

/// With h = (x - mean) s and g = weight dy: dx = s (g - mean(g) - h mean(g h)),  dweight = Σ dy h,  dbias = Σ dy.
template <class T, class DeviceType>
struct LayerNormBackward {
  Operand<T> x;
  Operand<T> weight;
  Gradient* bias;
  Gradient* y;
  LayerNormSize<T> size;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto dx = tape.template target<T>(x.gradient);
    const auto dweight = tape.template target<T>(weight.gradient);
    const auto dbias = tape.template target<T>(bias);
    LayerNormKernels<DeviceType>::backward(size, x.data, weight.data, y->values<T>(), dx, dweight, dbias);
  }
};

}  // namespace detail

/// y = weight (x - mean) / sqrt(variance + eps) + bias over the last axis, the variance divided by the number of
/// features (Ba, Kiros, Hinton, arXiv 1607.06450; torch.nn.functional.layer_norm). A row that holds a NaN or an
/// infinity becomes NaN throughout.
///
/// \param x       [..., features], any number of leading axes
/// \param weight  [features]
/// \param bias    [features]
/// \return        the shape of x
template <class Context, class X, class Weight, class Bias>
auto layer_norm(Context& context, const X& x, const Weight& weight, const Bias& bias, double eps) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  static_assert(
      ShapeOf<X>::rank >= 1 && ShapeOf<Weight>::rank == 1 && ShapeOf<Bias>::rank == 1,
      "layer_norm(x, weight, bias): x must have an axis of features, weight and bias one value for each of them");
  static_assert(std::is_same_v<T, ElementOf<Weight>> && std::is_same_v<T, ElementOf<Bias>>,
                "layer_norm(x, weight, bias): x, weight and bias must have one element type");
  WEFT_EXPECT_SAME_EXTENT(
      x.shape(), -1, weight.shape(), 0,
      "layer_norm(x, weight, bias): weight must have one value for each feature, the last axis of x");
  WEFT_EXPECT_SAME_EXTENT(x.shape(), -1, bias.shape(), 0,
                          "layer_norm(x, weight, bias): bias must have one value for each feature, the last axis of x");
  const auto xs = operand(context, x);
  const auto weights = operand(context, weight);
  const auto biases = operand(context, bias);
  const Index features = weight.extent(0);
  const LayerNormSize<T> size{features > 0 ? x.size() / features : 0, features, static_cast<T>(eps)};
  auto y = context.template make<T>(x.shape(), xs.gradient || weights.gradient || biases.gradient);
  LayerNormKernels<Device>::forward(size, xs.data, weights.data, biases.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::LayerNormBackward<T, Device>{xs, weights, biases.gradient, y.gradient_slot(), size});
  }
  return y;
}

}  // namespace weft
