// SPDX-License-Identifier: Apache-2.0
/// \file
/// Softmax and log-sum-exp by their definitions: what the fast kernels are compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// y = exp(x - max) / Σ exp(x - max) for each row of `columns`
template <class T>
void softmax_naive(Index rows, Index columns, const T* x, T* y) {
  for (Index row = 0; row < rows; ++row, x += columns, y += columns) {
    if (columns == 0) continue;
    const T largest = *std::max_element(x, x + columns);
    T sum = 0;
    for (Index i = 0; i < columns; ++i) sum += y[i] = std::exp(x[i] - largest);
    for (Index i = 0; i < columns; ++i) y[i] /= sum;
  }
}

/// dx = y (dy - Σ y dy)
template <class T>
void softmax_backward_naive(Index rows, Index columns, const T* y, const T* dy, T* dx) {
  for (Index row = 0; row < rows; ++row, y += columns, dy += columns, dx += columns) {
    T sum = 0;
    for (Index i = 0; i < columns; ++i) sum += y[i] * dy[i];
    for (Index i = 0; i < columns; ++i) dx[i] = y[i] * (dy[i] - sum);
  }
}

/// y = ln Σ exp(x), the largest element taken out unless it is infinite
template <class T>
void log_sum_exp_naive(Index rows, Index columns, const T* x, T* y) {
  for (Index row = 0; row < rows; ++row, x += columns) {
    T largest = -std::numeric_limits<T>::infinity();
    for (Index i = 0; i < columns; ++i) largest = std::max(largest, x[i]);
    const T offset = std::isinf(largest) ? T{0} : largest;
    T sum = 0;
    for (Index i = 0; i < columns; ++i) sum += std::exp(x[i] - offset);
    y[row] = offset + std::log(sum);
  }
}

/// dx = dy exp(x - y)
template <class T>
void log_sum_exp_backward_naive(Index rows, Index columns, const T* x, const T* y, const T* dy, T* dx) {
  for (Index row = 0; row < rows; ++row, x += columns, dx += columns) {
    for (Index i = 0; i < columns; ++i) dx[i] = dy[row] * std::exp(x[i] - y[row]);
  }
}

}  // namespace weft::kernels
