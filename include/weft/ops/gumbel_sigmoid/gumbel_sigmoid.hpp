// SPDX-License-Identifier: Apache-2.0
/// \file
/// A random switch for each logit that is nearly 0 or 1 and still has a derivative (Gumbel softmax of two classes; Jang et al.,
/// arXiv 1611.01144).
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/gumbel_sigmoid/gumbel_sigmoid_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct GumbelSigmoidBackward {
  Index count;
  T tau;
  const T* values;
  Gradient* logits;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    if (auto dlogits = tape.template target<T>(logits)) {
      GumbelSigmoidKernels<DeviceType>::backward(count, values, y->values<T>(), tau, dlogits);
    }
  }
};

template <class Context, class X, class Uniform>
auto gumbel_sigmoid_of(Context& context, const X& logits, const Uniform& uniform, double tau, double eps) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  if (!(tau > 0)) fail(concat("gumbel_sigmoid(logits): tau must be positive, found ", tau));
  const auto xs = operand(context, logits);
  const T t = static_cast<T>(tau);
  auto y = context.template make<T>(logits.shape(), xs.gradient != nullptr);
  GumbelSigmoidKernels<Device>::forward(logits.size(), xs.data, uniform, t, static_cast<T>(eps), y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   GumbelSigmoidBackward<T, Device>{logits.size(), t, y.data(), xs.gradient, y.gradient_slot()});
  }
  return y;
}

}  // namespace detail

/// y = σ((logit + g₁ - g₀) / tau) with Gumbel noise g = -ln(-ln(u + eps) + eps) of two uniform numbers u for each logit
/// (gumbel_sigmoid, which the reference never calls). It is random in evaluation too.
///
/// \param logits  any shape
/// \param rng     stream of the uniform numbers: numbers 2 i and 2 i + 1 serve logit i
template <class Context, class X>
auto gumbel_sigmoid(Context& context, const X& logits, const Rng& rng, double tau = 1, double eps = 1e-10) {
  using T = ElementOf<X>;
  const auto uniform = [rng](Index i) { return static_cast<T>(rng.uniform(static_cast<std::uint64_t>(i))); };
  return detail::gumbel_sigmoid_of(context, logits, uniform, tau, eps);
}

/// The same with given uniform numbers: two for each logit, side by side.
///
/// \param uniforms  [..., 2], as many pairs as there are logits
template <class Context, class X, class Uniforms>
requires requires(const Uniforms& u) { u.data(); }
auto gumbel_sigmoid(Context& context, const X& logits, const Uniforms& uniforms, double tau = 1, double eps = 1e-10) {
  if (uniforms.size() != 2 * logits.size()) {
    fail(concat("gumbel_sigmoid(logits, uniforms): there must be two numbers for each of ", logits.size(),
                " logits, found ", uniforms.size()));
  }
  const auto* numbers = uniforms.data();
  return detail::gumbel_sigmoid_of(
      context, logits, [numbers](Index i) { return numbers[i]; }, tau, eps);
}

}  // namespace weft
