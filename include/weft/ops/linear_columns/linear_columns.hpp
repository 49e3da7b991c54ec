// SPDX-License-Identifier: Apache-2.0
/// \file
/// A linear map by some columns of a weight matrix: one part of a layer whose input is a concatenation.
#pragma once

#include "weft/ops/linear/linear.hpp"
#include "weft/ops/linear_columns/linear_columns_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct LinearColumnsBackward {
  LinearColumnsSize size;
  Operand<T> x;
  Operand<T> weight;
  Gradient* bias;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = LinearColumnsKernels<DeviceType>;
    const T* dy = y->values<T>();
    if (auto dx = tape.template target<T>(x.gradient)) Kernels::backward_input(size, dy, weight.data, dx);
    if (auto dw = tape.template target<T>(weight.gradient)) Kernels::backward_weight(size, dy, x.data, dw);
    if (auto db = tape.template target<T>(bias)) Kernels::backward_bias(size, dy, db);
  }
};

}  // namespace detail

/// y[b, t, o] = Σᵢ x[b, t, i] weight[o, first_column + i] + bias[o]. The columns of a weight for [x₁; x₂] applied to
/// x₁ and x₂ apart add up to the whole, and serve every pair of x₁ and x₂.
///
/// \param x       [batch, tokens, features]
/// \param weight  [out_features, columns], columns >= first_column + features
/// \param bias    [out_features], or `none`
/// \return        [batch, tokens, out_features]
template <class Context, class X, class Weight, class Bias = None>
auto linear_columns(Context& context, const X& x, const Weight& weight, Index first_column, const Bias& bias = none) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<X>::rank == 3 && ShapeOf<Weight>::rank == 2,
                "linear_columns(x, weight): x must be [batch, tokens, features] and weight [out_features, columns]");
  const Index features = x.extent(2);
  if (first_column < 0 || first_column + features > weight.extent(1)) {
    fail(concat("linear_columns(x, weight): columns ", first_column, " to ", first_column + features,
                " are not all in a weight of shape ", weight.shape().text()));
  }
  if constexpr (!std::is_same_v<Bias, None>) {
    WEFT_EXPECT_SAME_EXTENT(bias.shape(), 0, weight.shape(), 0,
                            "linear_columns(x, weight, bias): bias must have one value for each row of weight");
  }
  const auto xs = operand(context, x);
  const auto weights = operand(context, weight);
  const auto biases = detail::optional_operand<Context, Bias, T>(context, bias);
  const LinearColumnsSize size{x.extent(0) * x.extent(1), features, weight.extent(0), weight.extent(1), first_column};
  using YShape = ReplaceAxis<ShapeOf<X>, 2, extent_of<ShapeOf<Weight>, 0>>;
  auto y = context.template make<T>(YShape::from({x.extent(0), x.extent(1), weight.extent(0)}),
                                    xs.gradient || weights.gradient || biases.gradient);
  LinearColumnsKernels<Device>::forward(size, xs.data, weights.data, biases.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::LinearColumnsBackward<T, Device>{size, xs, weights, biases.gradient, y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
