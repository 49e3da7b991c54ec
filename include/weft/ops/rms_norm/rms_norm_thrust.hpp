// SPDX-License-Identifier: Apache-2.0
/// \file
/// `rms_norm` on Thrust devices: one thread a row for its sums, one an element or a feature for what follows from them.
#pragma once

#include <cmath>

#include "weft/ops/rms_norm/rms_norm_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// What the elements of a row need from all of it.
template <class T>
struct RMSNormRow {
  T r;     ///< 1 / sqrt(mean(x²) + eps)
  T pull;  ///< r² mean(weight dy x), backwards only
};

/// Sums over a row; dy is null forwards.
template <class T>
struct RMSNormSumsOfRow {
  RMSNormSize<T> size;
  const T* x;
  const T* weight;
  const T* dy;
  RMSNormRow<T>* rows;

  WEFT_HOST_DEVICE void operator()(Index row) const {
    const Index first = row * size.features;
    T squares = 0;
    T product = 0;
    for (Index i = 0; i < size.features; ++i) squares += x[first + i] * x[first + i];
    for (Index i = 0; dy != nullptr && i < size.features; ++i) product += weight[i] * dy[first + i] * x[first + i];
    const T r = 1 / std::sqrt(squares / static_cast<T>(size.features) + size.eps);
    rows[row] = {r, r * r * product / static_cast<T>(size.features)};
  }
};

/// y = weight x r
template <class T>
struct RMSNormElement {
  Index features;
  const T* x;
  const T* weight;
  const RMSNormRow<T>* rows;
  T* y;

  WEFT_HOST_DEVICE void operator()(Index i) const { y[i] = weight[i % features] * (x[i] * rows[i / features].r); }
};

/// dx = r (weight dy - x pull)
template <class T>
struct RMSNormInputElement {
  Index features;
  const T* x;
  const T* weight;
  const T* dy;
  const RMSNormRow<T>* rows;
  GradientTarget<T> dx;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    const RMSNormRow<T> row = rows[i / features];
    contribute(dx.data, dx.accumulate, i, row.r * (weight[i % features] * dy[i] - x[i] * row.pull));
  }
};

/// dweight = Σ over rows of dy x r
template <class T>
struct RMSNormWeightElement {
  RMSNormSize<T> size;
  const T* x;
  const T* dy;
  const RMSNormRow<T>* rows;
  GradientTarget<T> dweight;

  WEFT_HOST_DEVICE void operator()(Index feature) const {
    T sum = 0;
    for (Index row = 0; row < size.rows; ++row) {
      const Index i = row * size.features + feature;
      sum += dy[i] * (x[i] * rows[row].r);
    }
    contribute(dweight.data, dweight.accumulate, feature, sum);
  }
};

}  // namespace kernels

template <>
struct RMSNormKernels<Thrust> {
  template <class T>
  static void forward(const RMSNormSize<T>& size, const T* x, const T* weight, T* y) {
    const T* const no_gradient = nullptr;
    const auto* rows = sums_of_rows(size, x, weight, no_gradient);
    Thrust::for_each_index(size.rows * size.features, kernels::RMSNormElement<T>{size.features, x, weight, rows, y});
  }

  template <class T>
  static void backward(const RMSNormSize<T>& size, const T* x, const T* weight, const T* dy, GradientTarget<T> dx,
                       GradientTarget<T> dweight) {
    const auto* rows = sums_of_rows(size, x, weight, dy);
    if (dx) {
      Thrust::for_each_index(size.rows * size.features,
                             kernels::RMSNormInputElement<T>{size.features, x, weight, dy, rows, dx});
    }
    if (dweight) {
      Thrust::for_each_index(size.features, kernels::RMSNormWeightElement<T>{size, x, dy, rows, dweight});
    }
  }

 private:
  template <class T>
  static const kernels::RMSNormRow<T>* sums_of_rows(const RMSNormSize<T>& size, const T* x, const T* weight,
                                                    const T* dy) {
    auto* rows = Thrust::scratch<RMSNormKernels, kernels::RMSNormRow<T>>(size.rows);
    Thrust::for_each_index(size.rows, kernels::RMSNormSumsOfRow<T>{size, x, weight, dy, rows});
    return rows;
  }
};

}  // namespace weft
