// SPDX-License-Identifier: Apache-2.0
/// \file
/// `batched_matmul` on the CPU: a matrix product for each pair, the pairs spread over the threads.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/batched_matmul/batched_matmul_kernels.hpp"
#include "weft/ops/matmul/matmul_kernel.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft {

template <>
struct BatchedMatmulKernels<Cpu> {
  using Transpose = kernels::Transpose;

  /// C = A B
  template <class T>
  static void forward(const BatchedMatmulSize& size, const T* a, const T* b, T* c) {
    for_each_pair(size, [&](Index i) {
      kernels::matmul(Transpose::no, Transpose::no, size.rows, size.columns, size.inner, a + i * size.rows * size.inner,
                      size.inner, b + i * size.inner * size.columns, size.columns, c + i * size.rows * size.columns,
                      size.columns);
    });
  }

  /// dA = dC Bᵀ
  template <class T>
  static void backward_first(const BatchedMatmulSize& size, const T* dc, const T* b, GradientTarget<T> da) {
    for_each_pair(size, [&](Index i) {
      kernels::matmul(Transpose::no, Transpose::yes, size.rows, size.inner, size.columns,
                      dc + i * size.rows * size.columns, size.columns, b + i * size.inner * size.columns, size.columns,
                      da.data + i * size.rows * size.inner, size.inner,
                      kernels::MatmulEpilogue<T>{nullptr, da.accumulate, T{1}});
    });
  }

  /// dB = Aᵀ dC
  template <class T>
  static void backward_second(const BatchedMatmulSize& size, const T* dc, const T* a, GradientTarget<T> db) {
    for_each_pair(size, [&](Index i) {
      kernels::matmul(Transpose::yes, Transpose::no, size.inner, size.columns, size.rows,
                      a + i * size.rows * size.inner, size.inner, dc + i * size.rows * size.columns, size.columns,
                      db.data + i * size.inner * size.columns, size.columns,
                      kernels::MatmulEpilogue<T>{nullptr, db.accumulate, T{1}});
    });
  }

 private:
  /// Several pairs go to several threads; a single one is split inside its product.
  template <class Body>
  static void for_each_pair(const BatchedMatmulSize& size, Body&& body) {
    if (size.batch == 1) return body(Index{0});
    parallel_for(size.batch, 1, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) body(i);
    });
  }
};

}  // namespace weft
