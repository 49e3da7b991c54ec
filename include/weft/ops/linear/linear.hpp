// SPDX-License-Identifier: Apache-2.0
/// \file
/// y = x Wᵀ + b (torch.nn.functional.linear), optionally added to a residual.
#pragma once

#include <optional>

#include "weft/autograd/operand.hpp"
#include "weft/ops/linear/linear_kernels.hpp"

namespace weft {

/// Marks an argument that is not given: `linear(context, x, weight, none)`.
struct None {};
/// Stands for an argument that is not given.
inline constexpr None none{};

namespace detail {

/// What an argument holds: itself, or what is in a `std::optional`, where null stands for nothing.
template <class X>
const X* if_given(const X& x) {
  return &x;
}
template <class X>
const X* if_given(const std::optional<X>& x) {
  return x ? &*x : nullptr;
}

/// The operand of an argument that may be `none` or an empty `std::optional`; one that is made already stays what it is.
/// A parameter that a layer has or has not, as it was told when it was made, is handed over as the `std::optional` that it
/// is: two types for an argument would compile everything that leads here twice.
template <class Context, class X, class T>
Operand<T> optional_operand(const Context& context, const X& x) {
  if constexpr (std::is_same_v<X, None>) {
    return {};
  } else if constexpr (std::is_same_v<X, Operand<T>>) {
    return x;
  } else {
    const auto* given = if_given(x);
    return given != nullptr ? operand(context, *given) : Operand<T>{};
  }
}

/// dX = dY W,  dW = dYᵀ X,  db = column sums of dY,  d residual = dY.
template <class T, class Weight, class DeviceType>
struct LinearBackward {
  Operand<T> x;
  Operand<Weight> weight;
  Gradient* bias;
  Gradient* residual;
  Gradient* y;
  LinearSize size;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = LinearKernels<DeviceType>;
    const T* dy = y->values<T>();
    if (auto dx = tape.template target<T>(x.gradient)) Kernels::backward_input(size, dy, weight.data, dx);
    if constexpr (std::is_same_v<T, Weight>) {
      if (auto dw = tape.template target<T>(weight.gradient)) Kernels::backward_weight(size, dy, x.data, dw);
    }
    if (auto db = tape.template target<T>(bias)) Kernels::backward_bias(size, dy, db);
    if (!tape.hand_over(y, residual))
      Kernels::add(size.rows * size.out_features, dy, tape.template target<T>(residual));
  }
};

/// The operation behind its types, compiled once for each context and element type; its `count` results are flat.
template <class T, class Weight, class Context>
auto linear_flat(Context& context, const LinearSize& size, Index count, const Operand<T>& x,
                 const Operand<Weight>& weight, const Operand<T>& bias, const Operand<T>& residual) {
  using Device = typename Context::Device;
  const bool needs_gradient = x.gradient || weight.gradient || bias.gradient || residual.gradient;
  auto y = context.template make<T>(Shape<Dyn>(count), needs_gradient);
  LinearKernels<Device>::forward(size, x.data, weight.data, bias.data, residual.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), LinearBackward<T, Weight, Device>{x, weight, bias.gradient, residual.gradient,
                                                                        y.gradient_slot(), size});
  }
  return y;
}

}  // namespace detail

/// y[..., o] = Σᵢ x[..., i] weight[o, i] + bias[o] + residual[..., o].
///
/// \param x         [..., in_features], any number of leading axes
/// \param weight    [out_features, in_features], as torch.nn.Linear stores it; `bf16` weights get no gradient, and a
///                  parameter that is not trained is read as bf16 where it has such elements
/// \param bias      [out_features], or `none`, or a `std::optional`
/// \param residual  the shape of the result, or `none`
/// \return          [..., out_features]
template <class Context, class X, class Weight, class Bias = None, class Residual = None>
auto linear(Context& context, const X& x, const Weight& weight, const Bias& bias = none,
            const Residual& residual = none) {
  using T = ElementOf<X>;
  using XShape = ShapeOf<X>;
  static_assert(XShape::rank >= 1 && ShapeOf<Weight>::rank == 2,
                "linear(x, weight): x must have an axis of features and weight must be [out_features, in_features]");
  WEFT_EXPECT_SAME_EXTENT(x.shape(), -1, weight.shape(), 1,
                          "linear(x, weight): the last axis of x must equal the last axis of weight [out, in]");
  using YShape = ReplaceAxis<XShape, XShape::rank - 1, extent_of<ShapeOf<Weight>, 0>>;
  auto extents = x.shape().extents();
  extents.back() = weight.extent(0);
  const auto shape = YShape::from(extents);

  if constexpr (!std::is_same_v<Bias, None>) {
    if (const auto* given = detail::if_given(bias)) {
      WEFT_EXPECT_SAME_EXTENT(given->shape(), 0, weight.shape(), 0,
                              "linear(x, weight, bias): bias must have one value for each row of weight [out, in]");
    }
  }
  if constexpr (!std::is_same_v<Residual, None>) {
    WEFT_EXPECT_SAME_EXTENT(
        residual.shape(), -1, weight.shape(), 0,
        "linear(x, weight, bias, residual): the last axis of residual must equal the first of weight");
    if (residual.size() != shape.size()) {
      fail(concat("linear(x, weight, bias, residual): residual must have shape ", shape.text(), ", found ",
                  residual.shape().text()));
    }
  }

  const auto xs = operand(context, x);
  const auto biases = detail::optional_operand<Context, Bias, T>(context, bias);
  const auto residuals = detail::optional_operand<Context, Residual, T>(context, residual);
  const LinearSize size{weight.extent(1) > 0 ? x.size() / weight.extent(1) : 0, weight.extent(1), weight.extent(0)};

  if constexpr (detail::may_be_narrow<Context, Weight>) {
    if (const bf16* narrow = detail::narrow_elements(context, weight)) {
      const Operand<bf16> weights{narrow, nullptr};
      return detail::linear_flat(context, size, shape.size(), xs, weights, biases, residuals).reshape(shape);
    }
  }
  const auto weights = operand(context, weight);
  return detail::linear_flat(context, size, shape.size(), xs, weights, biases, residuals).reshape(shape);
}

}  // namespace weft
