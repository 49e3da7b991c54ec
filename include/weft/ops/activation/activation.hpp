// SPDX-License-Identifier: Apache-2.0
/// \file
/// Functions of one element: SiLU, GELU, ReLU, sigmoid, tanh, softplus.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/activation/activation_kernels.hpp"

namespace weft {

namespace detail {

/// dx = dy act'(x), act' computed again from x.
template <class T, class DeviceType>
struct ActivationBackward {
  Operand<T> x;
  Gradient* y;
  Index count;
  Activation activation;

  void operator()(BasicTape<DeviceType>& tape) const {
    auto dx = tape.template target<T>(x.gradient);
    if (dx) ActivationKernels<DeviceType>::backward(activation, count, x.data, y->values<T>(), dx);
  }
};

}  // namespace detail

/// y = act(x), element by element. NaN gives NaN; so does -infinity where act multiplies x by a factor that is 0 there
/// (silu, gelu, gelu_tanh), as in torch.
///
/// \param x  of any shape
/// \return   the shape of x
template <class Context, class X>
auto activate(Context& context, const X& x, Activation activation) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  const auto xs = operand(context, x);
  auto y = context.template make<T>(x.shape(), xs.gradient != nullptr);
  ActivationKernels<Device>::forward(activation, x.size(), xs.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::ActivationBackward<T, Device>{xs, y.gradient_slot(), x.size(), activation});
  }
  return y;
}

/// x σ(x)  (torch.nn.functional.silu). Computed as x / (1 + e⁻ˣ), accurate in the negative tail.
template <class Context, class X>
auto silu(Context& context, const X& x) {
  return activate(context, x, Activation::silu);
}

/// x Φ(x) with Φ the standard normal distribution  (torch.nn.functional.gelu, the erf form).
template <class Context, class X>
auto gelu(Context& context, const X& x) {
  return activate(context, x, Activation::gelu);
}

/// max(x, 0); the derivative at 0 is 0.
template <class Context, class X>
auto relu(Context& context, const X& x) {
  return activate(context, x, Activation::relu);
}

/// 1 / (1 + e⁻ˣ)
template <class Context, class X>
auto sigmoid(Context& context, const X& x) {
  return activate(context, x, Activation::sigmoid);
}

/// tanh x
template <class Context, class X>
auto tanh(Context& context, const X& x) {
  return activate(context, x, Activation::tanh);
}

/// ln(1 + eˣ), x itself where x > 20  (torch.nn.functional.softplus with beta 1 and threshold 20).
template <class Context, class X>
auto softplus(Context& context, const X& x) {
  return activate(context, x, Activation::softplus);
}

}  // namespace weft
