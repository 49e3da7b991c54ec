// SPDX-License-Identifier: Apache-2.0
/// \file
/// Activation functions and their derivatives on vectors.
#pragma once

#include "weft/ops/activation/activation_kind.hpp"
#include "weft/ops/elementwise/vector_math.hpp"

namespace weft::kernels {

template <class T>
struct ValueAndSlope {
  Vector<T> value;  ///< act(x)
  Vector<T> slope;  ///< d act(x) / dx
};

/// x σ(x), by a quotient that keeps its relative accuracy where the function nears 0.
template <class T>
inline Vector<T> silu(const xsimd::batch<T>& x) {
  return x / (Vector<T>(T{1}) + exp(-x));
}

template <class T>
inline ValueAndSlope<T> silu_and_slope(const xsimd::batch<T>& x) {
  const Vector<T> s = sigmoid(x);
  const Vector<T> value = x * s;
  return {value, multiply_add(value, Vector<T>(Vector<T>(T{1}) - s), s)};
}

/// x Φ(x)
template <class T>
inline ValueAndSlope<T> gelu_and_slope(const xsimd::batch<T>& x) {
  const auto [distribution, density] = standard_normal(x);
  return {x * distribution, multiply_add(x, density, distribution)};
}

/// x/2 (1 + tanh u) = x σ(2u) with u = √(2/π) (x + 0.044715 x³)
template <class T>
inline ValueAndSlope<T> gelu_tanh_and_slope(const xsimd::batch<T>& x) {
  using V = Vector<T>;
  const V twice_root(static_cast<T>(1.59576912160573071176));
  const V cubic(static_cast<T>(1.59576912160573071176 * 0.044715));
  const V square = x * x;
  const V s = sigmoid(V(x * multiply_add(square, cubic, twice_root)));
  const V value = x * s;
  const V inner = multiply_add(square, V(V(T{3}) * cubic), twice_root);
  return {value, multiply_add(V(value * (V(T{1}) - s)), inner, s)};
}

/// act(x) and its derivative. A relu of NaN is NaN: the comparison is written so that it fails for NaN.
template <Activation Function, class T>
inline ValueAndSlope<T> activation_and_slope(const xsimd::batch<T>& x) {
  using V = Vector<T>;
  const V zero(T{0}), one(T{1});
  if constexpr (Function == Activation::silu) {
    return silu_and_slope(x);
  } else if constexpr (Function == Activation::gelu) {
    return gelu_and_slope(x);
  } else if constexpr (Function == Activation::gelu_tanh) {
    return gelu_tanh_and_slope(x);
  } else if constexpr (Function == Activation::relu) {
    return {xsimd::select(x <= zero, zero, x), xsimd::select(x <= zero, zero, one)};
  } else if constexpr (Function == Activation::sigmoid) {
    const V s = sigmoid(x);
    return {s, s * (one - s)};
  } else if constexpr (Function == Activation::tanh) {
    const V t = tanh(x);
    return {t, (one - t) * (one + t)};
  } else if constexpr (Function == Activation::softplus) {
    return {softplus(x), xsimd::select(x > V(T{20}), one, sigmoid(x))};
  } else {
    static_assert(Function == Activation::identity);
    return {x, one};
  }
}

}  // namespace weft::kernels
