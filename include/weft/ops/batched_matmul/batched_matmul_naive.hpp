// SPDX-License-Identifier: Apache-2.0
/// \file
/// `batched_matmul` by its definition.
#pragma once

#include "weft/ops/batched_matmul/batched_matmul_kernels.hpp"

namespace weft::kernels {

/// C[i, r, c] = Σₖ A[i, r, k] B[i, k, c], summed in double.
template <class T>
void batched_matmul_naive(const BatchedMatmulSize& size, const T* a, const T* b, T* c) {
  for (Index i = 0; i < size.batch; ++i) {
    for (Index row = 0; row < size.rows; ++row) {
      for (Index column = 0; column < size.columns; ++column) {
        double sum = 0;
        for (Index k = 0; k < size.inner; ++k) {
          sum += static_cast<double>(a[(i * size.rows + row) * size.inner + k]) *
                 static_cast<double>(b[(i * size.inner + k) * size.columns + column]);
        }
        c[(i * size.rows + row) * size.columns + column] = static_cast<T>(sum);
      }
    }
  }
}

}  // namespace weft::kernels
