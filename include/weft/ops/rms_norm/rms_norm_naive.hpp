// SPDX-License-Identifier: Apache-2.0
/// \file
/// Root-mean-square normalisation by its definition: what the fast kernels are compared with.
#pragma once

#include <cmath>

#include "weft/ops/rms_norm/rms_norm_kernels.hpp"

namespace weft::kernels {

/// 1 / sqrt(mean(x²) + eps) of a row
template <class T>
T inverse_rms_naive(const RMSNormSize<T>& size, const T* row) {
  T squares = 0;
  for (Index i = 0; i < size.features; ++i) squares += row[i] * row[i];
  return 1 / std::sqrt(squares / static_cast<T>(size.features) + size.eps);
}

/// y = weight x r with r = 1 / sqrt(mean(x²) + eps)
template <class T>
void rms_norm_naive(const RMSNormSize<T>& size, const T* x, const T* weight, T* y) {
  for (Index row = 0; row < size.rows; ++row, x += size.features, y += size.features) {
    const T r = inverse_rms_naive(size, x);
    for (Index i = 0; i < size.features; ++i) y[i] = weight[i] * (x[i] * r);
  }
}

/// dx = r (weight dy - x r² mean(weight dy x)),  dweight = Σ over rows of dy x r
template <class T>
void rms_norm_backward_naive(const RMSNormSize<T>& size, const T* x, const T* weight, const T* dy, T* dx, T* dweight) {
  for (Index i = 0; i < size.features; ++i) dweight[i] = 0;
  for (Index row = 0; row < size.rows; ++row, x += size.features, dy += size.features, dx += size.features) {
    const T r = inverse_rms_naive(size, x);
    T product = 0;
    for (Index i = 0; i < size.features; ++i) product += weight[i] * dy[i] * x[i];
    const T pull = r * r * product / static_cast<T>(size.features);
    for (Index i = 0; i < size.features; ++i) {
      dx[i] = r * (weight[i] * dy[i] - x[i] * pull);
      dweight[i] += dy[i] * x[i] * r;
    }
  }
}

}  // namespace weft::kernels
