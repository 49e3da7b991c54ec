// SPDX-License-Identifier: Apache-2.0
/// \file
/// `linear_columns` by its definition.
#pragma once

#include "weft/ops/linear_columns/linear_columns_kernels.hpp"

namespace weft::kernels {

/// y[r, o] = Σᵢ x[r, i] weight[o, first_column + i] + bias[o], summed in double.
template <class T>
void linear_columns_naive(const LinearColumnsSize& size, const T* x, const T* weight, const T* bias, T* y) {
  for (Index row = 0; row < size.rows; ++row) {
    for (Index o = 0; o < size.out_features; ++o) {
      double sum = bias != nullptr ? static_cast<double>(bias[o]) : 0;
      for (Index i = 0; i < size.features; ++i) {
        sum += static_cast<double>(x[row * size.features + i]) *
               static_cast<double>(weight[o * size.columns + size.first_column + i]);
      }
      y[row * size.out_features + o] = static_cast<T>(sum);
    }
  }
}

}  // namespace weft::kernels
