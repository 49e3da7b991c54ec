// SPDX-License-Identifier: Apache-2.0
/// \file
/// `linear` on Thrust devices: one thread an output element, its sum from the first term to the last.
#pragma once

#include "weft/ops/linear/linear_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// y = x Wᵀ (+ bias) (+ residual)
template <class T, class Weight>
struct LinearElement {
  LinearSize size;
  const T* x;
  const Weight* weight;
  const T* bias;
  const T* residual;
  T* y;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    const Index column = i % size.out_features;
    const T* xs = x + i / size.out_features * size.in_features;
    const Weight* weights = weight + column * size.in_features;
    T sum = bias != nullptr ? bias[column] : T{0};
    for (Index k = 0; k < size.in_features; ++k) sum += xs[k] * static_cast<T>(element(weights, k));
    y[i] = residual != nullptr ? residual[i] + sum : sum;
  }
};

/// dX = dY W
template <class T, class Weight>
struct LinearInputElement {
  LinearSize size;
  const T* dy;
  const Weight* weight;
  T* dx;
  bool accumulate;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    const Index column = i % size.in_features;
    const T* dys = dy + i / size.in_features * size.out_features;
    T sum = 0;
    for (Index k = 0; k < size.out_features; ++k) {
      sum += dys[k] * static_cast<T>(element(weight, k * size.in_features + column));
    }
    contribute(dx, accumulate, i, sum);
  }
};

/// dW = dYᵀ X
template <class T>
struct LinearWeightElement {
  LinearSize size;
  const T* dy;
  const T* x;
  T* dw;
  bool accumulate;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    const Index out = i / size.in_features;
    const Index in = i % size.in_features;
    T sum = 0;
    for (Index row = 0; row < size.rows; ++row) {
      sum += dy[row * size.out_features + out] * x[row * size.in_features + in];
    }
    contribute(dw, accumulate, i, sum);
  }
};

/// db = column sums of dY
template <class T>
struct LinearBiasElement {
  LinearSize size;
  const T* dy;
  T* db;
  bool accumulate;

  WEFT_HOST_DEVICE void operator()(Index column) const {
    T sum = 0;
    for (Index row = 0; row < size.rows; ++row) sum += dy[row * size.out_features + column];
    contribute(db, accumulate, column, sum);
  }
};

}  // namespace kernels

template <>
struct LinearKernels<Thrust> {
  template <class T, class Weight>
  static void forward(const LinearSize& size, const T* x, const Weight* weight, const T* bias, const T* residual,
                      T* y) {
    Thrust::for_each_index(size.rows * size.out_features,
                           kernels::LinearElement<T, Weight>{size, x, weight, bias, residual, y});
  }

  template <class T, class Weight>
  static void backward_input(const LinearSize& size, const T* dy, const Weight* weight, GradientTarget<T> dx) {
    Thrust::for_each_index(size.rows * size.in_features,
                           kernels::LinearInputElement<T, Weight>{size, dy, weight, dx.data, dx.accumulate});
  }

  template <class T>
  static void backward_weight(const LinearSize& size, const T* dy, const T* x, GradientTarget<T> dw) {
    Thrust::for_each_index(size.out_features * size.in_features,
                           kernels::LinearWeightElement<T>{size, dy, x, dw.data, dw.accumulate});
  }

  template <class T>
  static void backward_bias(const LinearSize& size, const T* dy, GradientTarget<T> db) {
    Thrust::for_each_index(size.out_features, kernels::LinearBiasElement<T>{size, dy, db.data, db.accumulate});
  }

  template <class T>
  static void add(Index count, const T* values, GradientTarget<T> target) {
    kernels::thrust_add_to_gradient(count, values, target);
  }
};

}  // namespace weft
