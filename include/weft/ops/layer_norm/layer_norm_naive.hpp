// SPDX-License-Identifier: Apache-2.0
/// \file
/// Layer normalisation by its definition: what the fast kernels are compared with.
#pragma once

#include <cmath>

#include "weft/ops/layer_norm/layer_norm_kernels.hpp"

namespace weft::kernels {

/// Mean and 1 / sqrt(variance + eps) of a row, the variance divided by the number of features.
template <class T>
struct RowStatistics {
  T mean;
  T inverse_deviation;
};

template <class T>
RowStatistics<T> row_statistics_naive(const LayerNormSize<T>& size, const T* row) {
  const T count = static_cast<T>(size.features);
  T sum = 0;
  for (Index i = 0; i < size.features; ++i) sum += row[i];
  const T mean = sum / count;
  T squares = 0;
  for (Index i = 0; i < size.features; ++i) squares += (row[i] - mean) * (row[i] - mean);
  return {mean, 1 / std::sqrt(squares / count + size.eps)};
}

/// y = weight (x - mean) / sqrt(variance + eps) + bias
template <class T>
void layer_norm_naive(const LayerNormSize<T>& size, const T* x, const T* weight, const T* bias, T* y) {
  for (Index row = 0; row < size.rows; ++row, x += size.features, y += size.features) {
    const auto [mean, inverse] = row_statistics_naive(size, x);
    for (Index i = 0; i < size.features; ++i) y[i] = weight[i] * ((x[i] - mean) * inverse) + bias[i];
  }
}

/// With h = (x - mean) s, s = 1 / sqrt(variance + eps) and g = weight dy:
/// dx = s (g - mean(g) - h mean(g h)),  dweight = Σ dy h,  dbias = Σ dy over rows.
template <class T>
void layer_norm_backward_naive(const LayerNormSize<T>& size, const T* x, const T* weight, const T* dy, T* dx,
                               T* dweight, T* dbias) {
  for (Index i = 0; i < size.features; ++i) dweight[i] = dbias[i] = 0;
  const T count = static_cast<T>(size.features);
  for (Index row = 0; row < size.rows; ++row, x += size.features, dy += size.features, dx += size.features) {
    const auto [mean, inverse] = row_statistics_naive(size, x);
    T direct = 0;
    T product = 0;
    for (Index i = 0; i < size.features; ++i) {
      direct += weight[i] * dy[i];
      product += weight[i] * dy[i] * (x[i] - mean) * inverse;
    }
    for (Index i = 0; i < size.features; ++i) {
      const T h = (x[i] - mean) * inverse;
      dx[i] = inverse * (weight[i] * dy[i] - direct / count - h * product / count);
      dweight[i] += dy[i] * h;
      dbias[i] += dy[i];
    }
  }
}

}  // namespace weft::kernels
