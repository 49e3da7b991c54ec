// SPDX-License-Identifier: Apache-2.0
/// \file
/// The matrix product every operation calls.
#pragma once

#include <algorithm>
#include <type_traits>

#include "weft/ops/matmul/matmul_block.hpp"
#include "weft/ops/matmul/matmul_epilogue.hpp"
#include "weft/ops/matmul/matvec_kernel.hpp"
#include "weft/ops/matmul/vecmat_kernel.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft::kernels {

namespace detail {

/// Rows of one thread from which on it does not matter that each thread packs all of y.
inline constexpr Index kRowsOfAThread = 256;

/// Threads that share out rows read all of y, but each its own x: where there are many rows that is less to read, and the
/// shares are more even. Otherwise they share out columns where these come in equal numbers of panels, whatever the rows
/// where y has to be packed and each thread has several panels: then none packs what another one does.
template <class T, class X, class Y>
bool divides_by_columns(const BlockProduct<T, X, Y>& product, Index panels, Index threads) {
  if (product.rows < 8 * threads || panels > 8 * threads) return true;
  if (panels % threads != 0) return false;
  const bool packs = !std::is_same_v<Y, T> || product.y.step != 1;
  return product.rows < kRowsOfAThread * threads || (packs && panels > threads);
}

template <class T, class X, class Y>
void multiply_threaded(const BlockProduct<T, X, Y>& product) {
  const Index panels = (product.columns + kTileColumns<T> - 1) / kTileColumns<T>;
  Index threads = thread_count();
  if (product.rows * product.columns * product.depth < 1 << 18) threads = 1;
  if (threads == 1) return multiply_block(product);
  const bool by_columns = divides_by_columns(product, panels, threads);
  const Index vectors = (product.columns + kLanes<T> - 1) / kLanes<T>;
  const Index parts = by_columns ? std::min(threads, panels) : threads;
  parallel_for(parts, 1, [&](Index begin, Index end) {
    BlockProduct<T, X, Y> part = product;
    if (by_columns) {
      const Index first = vectors * begin / parts * kLanes<T>;
      const Index last = std::min(product.columns, vectors * end / parts * kLanes<T>);
      part.columns = last - first;
      part.y = product.y.at(first, 0);
      part.c += first * (product.transposed ? product.c_row : 1);
      if (!product.transposed && part.epilogue.bias) part.epilogue.bias += first;
    } else {
      const Index first = product.rows * begin / parts;
      const Index last = product.rows * end / parts;
      part.rows = last - first;
      part.x = product.x.at(first, 0);
      part.c += first * (product.transposed ? 1 : product.c_row);
      if (product.transposed && part.epilogue.bias) part.epilogue.bias += first;
    }
    multiply_block(part);
  });
}

}  // namespace detail

/// `C[m,n] = alpha * op(A)[m,k] op(B)[k,n] [+ bias[n]] [+ C]`, row-major, leading dimensions in elements.
/// B may be bf16 when T is float. Runs on `parallel_for`; results do not depend on the number of threads.
template <class T, class B>
void matmul(Transpose ta, Transpose tb, Index m, Index n, Index k, const T* a, Index lda, const B* b, Index ldb, T* c,
            Index ldc, MatmulEpilogue<T> epilogue = {}) {
  if (m <= 0 || n <= 0) return;
  if (m <= kFewRows<T, B> && ta == Transpose::no && tb == Transpose::yes) {
    return multiply_few_rows(m, n, k, a, lda, b, ldb, c, ldc, epilogue);
  }
  if (m == 1 && tb == Transpose::no) {
    return multiply_row(n, k, a, ta == Transpose::no ? Index{1} : lda, b, ldb, c, epilogue);
  }
  const Strided<T> left = ta == Transpose::no ? Strided<T>{a, lda, 1} : Strided<T>{a, 1, lda};
  const Strided<B> right = tb == Transpose::no ? Strided<B>{b, 1, ldb} : Strided<B>{b, ldb, 1};
  // Either the n * k values of B are packed, or the m * k of A, and m * n are written transposed: two thirds of the cost each.
  if (tb == Transpose::yes && 2 * m * (k + n) < 3 * n * k) {
    return detail::multiply_threaded(BlockProduct<T, B, T>{right, left, n, m, k, c, ldc, true, epilogue});
  }
  detail::multiply_threaded(BlockProduct<T, T, B>{left, right, m, n, k, c, ldc, false, epilogue});
}

}  // namespace weft::kernels
