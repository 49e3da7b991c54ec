// SPDX-License-Identifier: Apache-2.0
/// \file
/// `linear` on the CPU: matrix products and sums.
#pragma once

#include <algorithm>

#include "weft/autograd/gradient.hpp"
#include "weft/ops/linear/linear_kernels.hpp"
#include "weft/ops/matmul/matmul_kernel.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft {

template <>
struct LinearKernels<Cpu> {
  /// y = x Wᵀ (+ bias) (+ residual)
  template <class T, class Weight>
  static void forward(const LinearSize& size, const T* x, const Weight* weight, const T* bias, const T* residual,
                      T* y) {
    const Index count = size.rows * size.out_features;
    if (residual != nullptr) add(count, residual, GradientTarget<T>{y, false});
    kernels::matmul(kernels::Transpose::no, kernels::Transpose::yes, size.rows, size.out_features, size.in_features, x,
                    size.in_features, weight, size.in_features, y, size.out_features,
                    kernels::MatmulEpilogue<T>{bias, residual != nullptr, T{1}});
  }

  /// dX = dY W
  template <class T, class Weight>
  static void backward_input(const LinearSize& size, const T* dy, const Weight* weight, GradientTarget<T> dx) {
    kernels::matmul(kernels::Transpose::no, kernels::Transpose::no, size.rows, size.in_features, size.out_features, dy,
                    size.out_features, weight, size.in_features, dx.data, size.in_features,
                    kernels::MatmulEpilogue<T>{nullptr, dx.accumulate, T{1}});
  }

  /// dW = dYᵀ X
  template <class T>
  static void backward_weight(const LinearSize& size, const T* dy, const T* x, GradientTarget<T> dw) {
    kernels::matmul(kernels::Transpose::yes, kernels::Transpose::no, size.out_features, size.in_features, size.rows, dy,
                    size.out_features, x, size.in_features, dw.data, size.in_features,
                    kernels::MatmulEpilogue<T>{nullptr, dw.accumulate, T{1}});
  }

  /// db = column sums of dY; each column is summed from the first row to the last.
  template <class T>
  static void backward_bias(const LinearSize& size, const T* dy, GradientTarget<T> db) {
    parallel_for(size.out_features, 64, [&](Index begin, Index end) {
      if (!db.accumulate) std::fill(db.data + begin, db.data + end, T{0});
      for (Index row = 0; row < size.rows; ++row) {
        const T* values = dy + row * size.out_features;
        for (Index column = begin; column < end; ++column) db.data[column] += values[column];
      }
    });
  }

  /// target += values, or target = values
  template <class T>
  static void add(Index count, const T* values, GradientTarget<T> target) {
    parallel_for(count, 16384, [&](Index begin, Index end) {
      if (target.accumulate) {
        for (Index i = begin; i < end; ++i) target.data[i] += values[i];
      } else {
        std::copy(values + begin, values + end, target.data + begin);
      }
    });
  }
};

}  // namespace weft
