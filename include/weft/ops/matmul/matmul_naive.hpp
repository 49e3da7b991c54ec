// SPDX-License-Identifier: Apache-2.0
/// \file
/// The matrix product by its definition: what the fast kernels are compared with.
#pragma once

#include "weft/ops/matmul/matmul_epilogue.hpp"
#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// `C[m,n] = alpha * op(A)[m,k] op(B)[k,n] [+ bias[n]] [+ C]`, row-major, leading dimensions in elements. The sum runs over
/// k in order, in T; B may be stored as bf16.
template <class T, class B>
void matmul_naive(Transpose ta, Transpose tb, Index m, Index n, Index k, const T* a, Index lda, const B* b, Index ldb,
                  T* c, Index ldc, MatmulEpilogue<T> epilogue = {}) {
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      T sum = 0;
      for (Index p = 0; p < k; ++p) {
        const T left = ta == Transpose::no ? a[i * lda + p] : a[p * lda + i];
        const B right = tb == Transpose::no ? b[p * ldb + j] : b[j * ldb + p];
        sum += left * static_cast<T>(right);
      }
      T value = epilogue.alpha * sum;
      if (epilogue.bias != nullptr) value += epilogue.bias[j];
      if (epilogue.accumulate) value += c[i * ldc + j];
      c[i * ldc + j] = value;
    }
  }
}

}  // namespace weft::kernels
