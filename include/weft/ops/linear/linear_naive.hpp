// SPDX-License-Identifier: Apache-2.0
/// \file
/// Linear maps by their definition: what the fast kernels are compared with.
#pragma once

#include "weft/ops/linear/linear_kernels.hpp"

namespace weft::kernels {

/// y[r, o] = Σᵢ x[r, i] weight[o, i] + bias[o] + residual[r, o]; null pointers are left out
template <class T>
void linear_naive(const LinearSize& size, const T* x, const T* weight, const T* bias, const T* residual, T* y) {
  for (Index row = 0; row < size.rows; ++row) {
    for (Index o = 0; o < size.out_features; ++o) {
      T sum = 0;
      for (Index i = 0; i < size.in_features; ++i)
        sum += x[row * size.in_features + i] * weight[o * size.in_features + i];
      if (bias != nullptr) sum += bias[o];
      if (residual != nullptr) sum += residual[row * size.out_features + o];
      y[row * size.out_features + o] = sum;
    }
  }
}

}  // namespace weft::kernels
