// SPDX-License-Identifier: Apache-2.0
/// \file
/// `softmax` and `log_sum_exp` on Thrust devices: one thread a row for its sums, one an element for what follows.
#pragma once

#include <cmath>

#include "weft/ops/softmax/softmax_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// Σ exp(x - offset) of a row and its offset: the largest element, or 0 where that is infinite and may be.
template <class T>
struct ExponentialSum {
  T offset;
  T sum;
};

template <class T>
WEFT_HOST_DEVICE inline ExponentialSum<T> exponential_sum(Index columns, const T* x, bool infinite_offset) {
  T largest = -static_cast<T>(INFINITY);
  for (Index i = 0; i < columns; ++i) largest = x[i] > largest ? x[i] : largest;
  const T offset = std::isinf(largest) && !infinite_offset ? T{0} : largest;
  T sum = 0;
  for (Index i = 0; i < columns; ++i) sum += std::exp(x[i] - offset);
  return {offset, sum};
}

template <class T>
struct SoftmaxSumsOfRow {
  Index columns;
  const T* x;
  ExponentialSum<T>* rows;

  WEFT_HOST_DEVICE void operator()(Index row) const { rows[row] = exponential_sum(columns, x + row * columns, true); }
};

/// y = exp(x - max) / Σ exp(x - max)
template <class T>
struct SoftmaxElement {
  Index columns;
  const T* x;
  const ExponentialSum<T>* rows;
  T* y;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    const ExponentialSum<T> row = rows[i / columns];
    y[i] = std::exp(x[i] - row.offset) / row.sum;
  }
};

/// Σ y dy of a row
template <class T>
struct SoftmaxProductOfRow {
  Index columns;
  const T* y;
  const T* dy;
  T* products;

  WEFT_HOST_DEVICE void operator()(Index row) const {
    T sum = 0;
    for (Index i = row * columns; i < (row + 1) * columns; ++i) sum += y[i] * dy[i];
    products[row] = sum;
  }
};

/// dx = y (dy - Σ y dy)
template <class T>
struct SoftmaxSlopeElement {
  Index columns;
  const T* y;
  const T* dy;
  const T* products;
  GradientTarget<T> dx;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    contribute(dx.data, dx.accumulate, i, y[i] * (dy[i] - products[i / columns]));
  }
};

/// y = ln Σ exp(x)
template <class T>
struct LogSumExpOfRow {
  Index columns;
  const T* x;
  T* y;

  WEFT_HOST_DEVICE void operator()(Index row) const {
    const ExponentialSum<T> sum = exponential_sum(columns, x + row * columns, false);
    y[row] = sum.offset + std::log(sum.sum);
  }
};

/// dx = dy exp(x - y)
template <class T>
struct LogSumExpSlopeElement {
  Index columns;
  const T* x;
  const T* y;
  const T* dy;
  GradientTarget<T> dx;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    const Index row = i / columns;
    contribute(dx.data, dx.accumulate, i, dy[row] * std::exp(x[i] - y[row]));
  }
};

}  // namespace kernels

template <>
struct SoftmaxKernels<Thrust> {
  template <class T>
  static void forward(Index rows, Index columns, const T* x, T* y) {
    auto* sums = Thrust::scratch<SoftmaxKernels, kernels::ExponentialSum<T>>(rows);
    Thrust::for_each_index(rows, kernels::SoftmaxSumsOfRow<T>{columns, x, sums});
    Thrust::for_each_index(rows * columns, kernels::SoftmaxElement<T>{columns, x, sums, y});
  }

  template <class T>
  static void backward(Index rows, Index columns, const T* y, const T* dy, GradientTarget<T> dx) {
    T* products = Thrust::scratch<SoftmaxKernels, T>(rows);
    Thrust::for_each_index(rows, kernels::SoftmaxProductOfRow<T>{columns, y, dy, products});
    Thrust::for_each_index(rows * columns, kernels::SoftmaxSlopeElement<T>{columns, y, dy, products, dx});
  }

  template <class T>
  static void log_sum_exp(Index rows, Index columns, const T* x, T* y) {
    Thrust::for_each_index(rows, kernels::LogSumExpOfRow<T>{columns, x, y});
  }

  template <class T>
  static void log_sum_exp_backward(Index rows, Index columns, const T* x, const T* y, const T* dy,
                                   GradientTarget<T> dx) {
    Thrust::for_each_index(rows * columns, kernels::LogSumExpSlopeElement<T>{columns, x, y, dy, dx});
  }
};

}  // namespace weft
