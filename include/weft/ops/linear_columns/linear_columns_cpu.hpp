// SPDX-License-Identifier: Apache-2.0
/// \file
/// `linear_columns` on the CPU: matrix products on a part of the weight.
#pragma once

#include <algorithm>

#include "weft/ops/linear/linear_cpu.hpp"
#include "weft/ops/linear_columns/linear_columns_kernels.hpp"

namespace weft {

template <>
struct LinearColumnsKernels<Cpu> {
  using Transpose = kernels::Transpose;

  template <class T>
  static void forward(const LinearColumnsSize& size, const T* x, const T* weight, const T* bias, T* y) {
    kernels::matmul(Transpose::no, Transpose::yes, size.rows, size.out_features, size.features, x, size.features,
                    weight + size.first_column, size.columns, y, size.out_features,
                    kernels::MatmulEpilogue<T>{bias, false, T{1}});
  }

  template <class T>
  static void backward_input(const LinearColumnsSize& size, const T* dy, const T* weight, GradientTarget<T> dx) {
    kernels::matmul(Transpose::no, Transpose::no, size.rows, size.features, size.out_features, dy, size.out_features,
                    weight + size.first_column, size.columns, dx.data, size.features,
                    kernels::MatmulEpilogue<T>{nullptr, dx.accumulate, T{1}});
  }

  /// Columns that were not used get zeros where nothing has arrived yet.
  template <class T>
  static void backward_weight(const LinearColumnsSize& size, const T* dy, const T* x, GradientTarget<T> dw) {
    if (!dw.accumulate) std::fill_n(dw.data, size.out_features * size.columns, T{0});
    kernels::matmul(Transpose::yes, Transpose::no, size.out_features, size.features, size.rows, dy, size.out_features,
                    x, size.features, dw.data + size.first_column, size.columns,
                    kernels::MatmulEpilogue<T>{nullptr, true, T{1}});
  }

  template <class T>
  static void backward_bias(const LinearColumnsSize& size, const T* dy, GradientTarget<T> db) {
    LinearKernels<Cpu>::backward_bias(LinearSize{size.rows, size.features, size.out_features}, dy, db);
  }
};

}  // namespace weft
