// SPDX-License-Identifier: Apache-2.0
/// \file
/// The elementwise threshold modes as functions of vectors, with their derivatives.
#pragma once

#include "weft/ops/adjacency/threshold_mode.hpp"
#include "weft/ops/elementwise/vector_math.hpp"

namespace weft::kernels {

/// silu x = x σ(x)
template <class T>
struct SiluStep {
  static Vector<T> value(const Vector<T>& x) { return x * sigmoid<T>(x); }
  static Vector<T> derivative(const Vector<T>& x) {
    const Vector<T> s = sigmoid<T>(x);
    return s * (Vector<T>(T{1}) + x * (Vector<T>(T{1}) - s));
  }
};

template <class T>
struct ReluStep {
  static Vector<T> value(const Vector<T>& x) { return xsimd::max(x, Vector<T>(T{0})); }
  static Vector<T> derivative(const Vector<T>& x) {
    return xsimd::select(x > Vector<T>(T{0}), Vector<T>(T{1}), Vector<T>(T{0}));
  }
};

/// softplus(β x) / β
template <class T>
struct SoftplusStep {
  T beta = 1;
  Vector<T> value(const Vector<T>& x) const { return softplus<T>(Vector<T>(beta) * x) / Vector<T>(beta); }
  Vector<T> derivative(const Vector<T>& x) const {
    const Vector<T> scaled = Vector<T>(beta) * x;
    return xsimd::select(scaled > Vector<T>(T{20}), Vector<T>(T{1}), sigmoid<T>(scaled));
  }
};

/// σ(β x)
template <class T>
struct SigmoidStep {
  T beta;
  Vector<T> value(const Vector<T>& x) const { return sigmoid<T>(Vector<T>(beta) * x); }
  Vector<T> derivative(const Vector<T>& x) const {
    const Vector<T> s = value(x);
    return Vector<T>(beta) * s * (Vector<T>(T{1}) - s);
  }
};

/// A function of a - t: its derivative by t is that by a, negated.
template <class T, class Step>
struct Shifted {
  T threshold;
  Step step;

  Vector<T> value(const Vector<T>& a) const { return step.value(a - Vector<T>(threshold)); }
  Vector<T> by_entry(const Vector<T>& a) const { return step.derivative(a - Vector<T>(threshold)); }
  Vector<T> by_threshold(const Vector<T>& a) const { return -by_entry(a); }
};

/// 1 where a > t, else step(a - t).
template <class T, class Step>
struct BinaryAbove {
  T threshold;
  Step step;

  Vector<T> value(const Vector<T>& a) const {
    return xsimd::select(a > Vector<T>(threshold), Vector<T>(T{1}), step.value(a - Vector<T>(threshold)));
  }
  Vector<T> by_entry(const Vector<T>& a) const {
    return xsimd::select(a > Vector<T>(threshold), Vector<T>(T{0}), step.derivative(a - Vector<T>(threshold)));
  }
  Vector<T> by_threshold(const Vector<T>& a) const { return -by_entry(a); }
};

/// step(a - t) + scale · 1[a > t]
template <class T, class Step>
struct PlusBinary {
  T threshold;
  T scale;
  Step step;

  Vector<T> value(const Vector<T>& a) const {
    const Vector<T> above = xsimd::select(a > Vector<T>(threshold), Vector<T>(scale), Vector<T>(T{0}));
    return step.value(a - Vector<T>(threshold)) + above;
  }
  Vector<T> by_entry(const Vector<T>& a) const { return step.derivative(a - Vector<T>(threshold)); }
  Vector<T> by_threshold(const Vector<T>& a) const { return -by_entry(a); }
};

/// σ(s₁ a) σ(s₂ (a - t)): a smooth step near t.
template <class T>
struct FlowStep {
  T threshold;
  T s1 = 5;
  T s2 = 50;

  Vector<T> gate(const Vector<T>& a) const { return sigmoid<T>(Vector<T>(s1) * a); }
  Vector<T> flow(const Vector<T>& a) const { return sigmoid<T>(Vector<T>(s2) * (a - Vector<T>(threshold))); }
  /// 1 - flow, without cancellation where that is small: s₂ magnifies it in derivatives.
  Vector<T> rest(const Vector<T>& a) const { return sigmoid<T>(Vector<T>(s2) * (Vector<T>(threshold) - a)); }
  Vector<T> value(const Vector<T>& a) const { return gate(a) * flow(a); }
  Vector<T> by_entry(const Vector<T>& a) const {
    const Vector<T> one(T{1});
    const Vector<T> g = gate(a);
    return g * flow(a) * (Vector<T>(s1) * (one - g) + Vector<T>(s2) * rest(a));
  }
  Vector<T> by_threshold(const Vector<T>& a) const { return -(Vector<T>(s2) * gate(a) * flow(a) * rest(a)); }
};

/// Calls `body(function)` for an elementwise mode with a derivative: `function` has value, by_entry and by_threshold.
template <class T, class Body>
void visit_threshold_function(const ThresholdOptions& options, T t, Body&& body) {
  const T softplus_beta = static_cast<T>(options.softplus_beta);
  const T sigmoid_beta = static_cast<T>(options.sigmoid_beta);
  switch (options.mode) {
    case ThresholdMode::silu:
      return body(Shifted<T, SiluStep<T>>{t, {}});
    case ThresholdMode::relu:
      return body(Shifted<T, ReluStep<T>>{t, {}});
    case ThresholdMode::softplus:
      return body(Shifted<T, SoftplusStep<T>>{t, {}});
    case ThresholdMode::sharp_softplus:
      return body(Shifted<T, SoftplusStep<T>>{t, {softplus_beta}});
    case ThresholdMode::sigmoid_elementwise:
      return body(Shifted<T, SigmoidStep<T>>{t, {sigmoid_beta}});
    case ThresholdMode::flowthreshold:
      return body(FlowStep<T>{t});
    case ThresholdMode::silu_plus_binary:
      return body(PlusBinary<T, SiluStep<T>>{t, static_cast<T>(options.binary_scale), {}});
    case ThresholdMode::silu_below_binary_above:
      return body(BinaryAbove<T, SiluStep<T>>{t, {}});
    case ThresholdMode::relu_below_binary_above:
    case ThresholdMode::binary:
      return body(BinaryAbove<T, ReluStep<T>>{t, {}});
    case ThresholdMode::softplus_below_binary_above:
      return body(BinaryAbove<T, SoftplusStep<T>>{t, {}});
    case ThresholdMode::none:
    case ThresholdMode::top_k:
    case ThresholdMode::scaled_topk_causal_4d:
      return;
  }
}

}  // namespace weft::kernels
