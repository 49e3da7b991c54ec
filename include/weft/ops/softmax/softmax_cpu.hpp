// SPDX-License-Identifier: Apache-2.0
/// \file
/// `softmax` and `log_sum_exp` on the CPU, row by row.
#pragma once

#include <cmath>
#include <limits>

#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/elementwise/vector_math.hpp"
#include "weft/ops/softmax/softmax_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct SoftmaxKernels<Cpu> {
  /// y = exp(x - max) / Σ exp(x - max)
  template <class T>
  static void forward(Index rows, Index columns, const T* x, T* y) {
    for_each_row(rows, columns, [&](Index row) {
      const T* xs = x + row * columns;
      T* ys = y + row * columns;
      const T largest = kernels::row_max(columns, xs);
      const T sum = exponentials(columns, xs, largest, ys);
      const kernels::Vector<T> factor(1 / sum);
      kernels::for_each_vector<T>(columns,
                                  [&](Index i, auto access) { access.store(ys + i, access.load(ys + i) * factor); });
    });
  }

  /// dx = y (dy - Σ y dy)
  template <class T>
  static void backward(Index rows, Index columns, const T* y, const T* dy, GradientTarget<T> dx) {
    for_each_row(rows, columns, [&](Index row) {
      const T* ys = y + row * columns;
      const T* dys = dy + row * columns;
      const auto [product] = kernels::row_sums<T, 1>(columns, [&](Index i, auto access, auto& sums) {
        sums[0] = kernels::multiply_add(access.load(ys + i), access.load(dys + i), sums[0]);
      });
      const kernels::Vector<T> mean(product);
      kernels::for_each_vector<T>(columns, [&](Index i, auto access) {
        const auto values = access.load(ys + i) * (access.load(dys + i) - mean);
        kernels::store_gradient(dx, row * columns + i, values, access);
      });
    });
  }

  /// y = ln Σ exp(x)
  template <class T>
  static void log_sum_exp(Index rows, Index columns, const T* x, T* y) {
    for_each_row(rows, columns, [&](Index row) {
      const T largest = kernels::row_max(columns, x + row * columns);
      const T offset = std::isinf(largest) ? T{0} : largest;  // infinity - infinity would be NaN
      y[row] = offset + std::log(exponentials(columns, x + row * columns, offset, static_cast<T*>(nullptr)));
    });
  }

  /// dx = dy exp(x - y)
  template <class T>
  static void log_sum_exp_backward(Index rows, Index columns, const T* x, const T* y, const T* dy,
                                   GradientTarget<T> dx) {
    for_each_row(rows, columns, [&](Index row) {
      const kernels::Vector<T> offset(y[row]);
      const kernels::Vector<T> factor(dy[row]);
      kernels::for_each_vector<T>(columns, [&](Index i, auto access) {
        const Index at = row * columns + i;
        kernels::store_gradient(dx, at, factor * kernels::exp(access.load(x + at) - offset), access);
      });
    });
  }

 private:
  template <class Body>
  static void for_each_row(Index rows, Index columns, Body&& body) {
    parallel_for(rows, kernels::rows_worth_a_thread(columns), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) body(row);
    });
  }

  /// Σ exp(x - offset), the terms kept in `y` unless that is null.
  template <class T>
  static T exponentials(Index columns, const T* x, T offset, T* y) {
    constexpr T lowest = -std::numeric_limits<T>::infinity();
    const kernels::Vector<T> offsets(offset);
    const auto [sum] = kernels::row_sums<T, 1>(columns, [&](Index i, auto access, auto& sums) {
      const auto terms = kernels::exp(access.load_or(x + i, lowest) - offsets);
      if (y != nullptr) access.store(y + i, terms);
      sums[0] += terms;
    });
    return sum;
  }
};

}  // namespace weft
