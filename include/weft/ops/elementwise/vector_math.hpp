// SPDX-License-Identifier: Apache-2.0
/// \file
/// Transcendental functions on vectors: own polynomials in float, xsimd's functions in double.
#pragma once

#include "weft/ops/matmul/matmul_simd.hpp"

namespace weft::kernels {

namespace detail {

/// c₀ + c₁ x + c₂ x² + ... by Horner's rule.
template <class T, class... Rest>
inline Vector<T> polynomial(const Vector<T>& x, T first, Rest... rest) {
  if constexpr (sizeof...(Rest) == 0) {
    return Vector<T>(first);
  } else {
    return multiply_add(polynomial<T>(x, rest...), x, Vector<T>(first));
  }
}

/// p 2^k for whole k in [-150, 128] and p near 1: 2^k alone need not be a float, so that it is multiplied in two
/// halves.
inline Vector<float> scale_by_power_of_two(const Vector<float>& p, const Vector<float>& k) {
#if XSIMD_WITH_AVX512F
  return _mm512_scalef_ps(p, k);
#else
  const auto whole = xsimd::to_int(k);
  const auto half = whole >> 1;
  const auto power = [](const auto& exponent) { return xsimd::bitwise_cast<Vector<float>>((exponent + 127) << 23); };
  return p * power(half) * power(whole - half);
#endif
}

}  // namespace detail

/// eˣ within 1.5 units in the last place, gradual underflow included; infinity from 88.7228 on, NaN for NaN.
///
/// x = k ln 2 + r, ln 2 in two parts so that r is exact; eʳ = 1 + r + r² q(r) with q the minimax polynomial of degree 4
/// (relative error 3e-9).
inline Vector<float> exp(const Vector<float>& argument) {
  using V = Vector<float>;
  // The bound stands first: min and max of x86 give their second operand when one is NaN.
  const V x = xsimd::max(V(-104.0F), xsimd::min(V(89.0F), argument));
  const V k = xsimd::nearbyint(x * V(1.44269504F));
  const V rest = multiply_add(k, V(-0.693359375F), x);
  const V r = multiply_add(k, V(2.12194440e-4F), rest);
  const V q = detail::polynomial(r, 0.499999934F, 0.166665201F, 0.0416683942F, 0.00836878042F, 0.00138144673F);
  const V one(1.0F);
  return detail::scale_by_power_of_two(multiply_add(multiply_add(q, r, one), r, one), k);
}
inline Vector<double> exp(const Vector<double>& x) { return xsimd::exp(x); }

/// 1 / (1 + e⁻ˣ), accurate in both tails.
template <class T>
inline Vector<T> sigmoid(const xsimd::batch<T>& x) {
  return Vector<T>(T{1}) / (Vector<T>(T{1}) + exp(-x));
}

/// tanh x. In float an odd polynomial below 1/2 (relative error 1.5e-8), 1 - 2 / (1 + e^2|x|) above.
inline Vector<float> tanh(const Vector<float>& x) {
  using V = Vector<float>;
  const V square = x * x;
  const V series = detail::polynomial(square, -0.333331439F, 0.133258790F, -0.0530454943F, 0.0172414915F);
  const V small = multiply_add(series * square, x, x);
  const V size = xsimd::abs(x);
  const V large = V(1.0F) - V(2.0F) / (V(1.0F) + exp(size + size));
  return xsimd::select(size < V(0.5F), small, xsimd::copysign(large, x));
}
inline Vector<double> tanh(const Vector<double>& x) { return xsimd::tanh(x); }

/// The standard normal distribution at x, and its density.
template <class T>
struct Normal {
  Vector<T> distribution;
  Vector<T> density;
};

/// In float, for x < 0: distribution = e^(-x²/2) g(1 / (1 + 0.3 |x|)) with g the minimax polynomial of degree 8 on the
/// arguments up to |x| = 14 (relative error 6e-8), so that the lower tail keeps its relative accuracy. In double the
/// error is that of xsimd's erfc, up to 1e-14.
inline Normal<float> standard_normal(const Vector<float>& x) {
  using V = Vector<float>;
  const V bell = exp(V(-0.5F) * x * x);
  const V t = V(1.0F) / multiply_add(xsimd::abs(x), V(0.3F), V(1.0F));
  const V tail = bell * detail::polynomial(t, 7.16865122e-6F, 0.119487693F, 0.121920305F, 0.0946836866F, 0.142535097F,
                                           -0.0765058015F, 0.228659447F, -0.169165787F, 0.0383782198F);
  return {xsimd::select(x < V(0.0F), tail, V(1.0F) - tail), bell * V(0.398942280F)};
}
inline Normal<double> standard_normal(const Vector<double>& x) {
  using V = Vector<double>;
  return {V(0.5) * xsimd::erfc(x * V(-0.70710678118654752440)), V(0.39894228040143267794) * exp(V(-0.5) * x * x)};
}

/// ln(1 + eˣ) without overflow; x itself for x > 20, as torch.nn.functional.softplus has it.
template <class T>
inline Vector<T> softplus(const xsimd::batch<T>& x) {
  const Vector<T> bounded = xsimd::min(Vector<T>(T{20}), x);
  return xsimd::select(x > Vector<T>(T{20}), x, Vector<T>(xsimd::log1p(exp(bounded))));
}

}  // namespace weft::kernels
