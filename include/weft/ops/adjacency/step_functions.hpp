// SPDX-License-Identifier: Apache-2.0
/// \file
/// Functions that the reference offers beside its attention: smooth steps, and the causal top-k selection.
#pragma once

#include "weft/ops/adjacency/process_adjacency.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType, class Function>
struct StepBackward {
  Function function;
  Index count;
  Operand<T> x;
  Gradient* threshold;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = AdjacencyKernels<DeviceType>;
    const T* dy = y->values<T>();
    if (auto dx = tape.template target<T>(x.gradient)) Kernels::step_backward(function, count, x.data, dy, dx);
    if (threshold != nullptr) {
      add_number<T>(tape, threshold, Kernels::step_threshold(function, count, x.data, dy));
    }
  }
};

template <class Context, class X, class Function>
auto apply_step(Context& context, const X& x, const Function& function, Gradient* threshold) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  const auto xs = operand(context, x);
  auto y = context.template make<T>(x.shape(), xs.gradient || threshold != nullptr);
  AdjacencyKernels<Device>::step(function, x.size(), xs.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   StepBackward<T, Device, Function>{function, x.size(), xs, threshold, y.gradient_slot()});
  }
  return y;
}

}  // namespace detail

/// y = σ(s1 x) σ(s2 (x - t)): a smooth step near t (FlowThreshold). It is neither 0 below 0 nor 1 at t.
///
/// \param x          any shape
/// \param threshold  t, a tensor of one element
template <class Context, class X, class Threshold>
auto flow_threshold(Context& context, const X& x, const Threshold& threshold, double s1 = 5, double s2 = 50) {
  using T = ElementOf<X>;
  if (threshold.size() != 1) {
    fail(concat("flow_threshold(x, threshold): threshold must have one element, found ", threshold.shape().text()));
  }
  const auto t = operand(context, threshold);
  const kernels::FlowStep<T> function{*t.data, static_cast<T>(s1), static_cast<T>(s2)};
  return detail::apply_step(context, x, function, t.gradient);
}

/// y = softplus(beta x) / beta, and x itself where beta x > 20 (sharp_softplus).
template <class Context, class X>
auto sharp_softplus(Context& context, const X& x, double beta = 1) {
  using T = ElementOf<X>;
  if (!(beta > 0)) fail(concat("sharp_softplus(x, beta): beta must be positive, found ", beta));
  const kernels::Shifted<T, kernels::SoftplusStep<T>> function{T{0}, {static_cast<T>(beta)}};
  return detail::apply_step(context, x, function, nullptr);
}

/// 1 for the max(1, ⌈fraction · i⌉) largest of the i entries before the diagonal of each row i, else 0
/// (scaled_topk_causal_4d). Entries below the threshold count as 0 but may be taken (quirk A2); row 0 and the diagonal are
/// empty (A3). No gradient.
///
/// \param a         [batch, heads, tokens, tokens]
/// \param fraction  in (0, 1]
template <class Context, class A>
auto scaled_topk_causal_4d(Context& context, const A& a, double fraction = 0.5, double threshold = 0,
                           TopKTies ties = TopKTies::libstdcxx) {
  static_assert(ShapeOf<A>::rank == 4, "scaled_topk_causal_4d(a): a must be [batch, heads, tokens, tokens]");
  WEFT_EXPECT_SAME_EXTENT(a.shape(), 2, a.shape(), 3, "scaled_topk_causal_4d(a): matrices must be square");
  ThresholdOptions options{.mode = ThresholdMode::scaled_topk_causal_4d, .top_k_fraction = fraction};
  options.topk_ties = ties;
  return process_adjacency(context, a, options, threshold);
}

}  // namespace weft
