// SPDX-License-Identifier: Apache-2.0
/// \file
/// The product of one row with a matrix as it lies: a weighted sum of the matrix's lines, at the speed of reading them.
#pragma once

#include <algorithm>

#include "weft/ops/matmul/matmul_epilogue.hpp"
#include "weft/ops/matmul/matmul_simd.hpp"
#include "weft/ops/matmul/matmul_store.hpp"
#include "weft/ops/matmul/matvec_kernel.hpp"
#include "weft/ops/vector_loop.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft::kernels {

namespace detail {

/// Columns whose sums stay in the first cache while the lines run by, and lines that are added at a time.
inline constexpr Index kStripColumns = 1024;
inline constexpr Index kLinesAtATime = 8;

/// sums[v] += Σ_l a[l * a_step] b[l * ldb + v], in order, for `width` columns.
template <Index Lines, class T, class B>
void add_lines(const T* a, Index a_step, const B* b, Index ldb, Index width, T* sums) {
  Vector<T> factors[Lines];
  for (Index l = 0; l < Lines; ++l) factors[l] = Vector<T>(a[l * a_step]);
  for_each_vector<T>(width, [&](Index v, auto access) {
    Vector<T> sum = Vector<T>::load_aligned(sums + v);
#pragma GCC unroll 8
    for (Index l = 0; l < Lines; ++l) {
      __builtin_prefetch(b + (l + Lines) * ldb + v, 0, 2);
      sum = multiply_add(factors[l], access.template load_widened<T>(b + l * ldb + v), sum);
    }
    sum.store_aligned(sums + v);
  });
}

}  // namespace detail

/// `c[n] = alpha * a[k] B[k,n] [+ bias[n]] [+ c]`, the elements of a `a_step` apart. Threads split the columns; each sum runs
/// over k in order.
template <class T, class B>
void multiply_row(Index n, Index k, const T* a, Index a_step, const B* b, Index ldb, T* c,
                  const MatmulEpilogue<T>& epilogue) {
  using namespace detail;
  constexpr Index unit = 4 * kLanes<T>;
  const Index unit_bytes = unit * std::max<Index>(k, 1) * static_cast<Index>(sizeof(B));
  parallel_for((n + unit - 1) / unit, (kBytesWorthAThread + unit_bytes - 1) / unit_bytes, [&](Index begin, Index end) {
    const Index last = std::min(n, end * unit);
    for (Index first = begin * unit; first < last; first += kStripColumns) {
      const Index width = std::min(kStripColumns, last - first);
      alignas(64) T sums[kStripColumns] = {};
      Index p = 0;
      for (; p + kLinesAtATime <= k; p += kLinesAtATime) {
        add_lines<kLinesAtATime>(a + p * a_step, a_step, b + p * ldb + first, ldb, width, sums);
      }
      for (; p < k; ++p) add_lines<1>(a + p * a_step, a_step, b + p * ldb + first, ldb, width, sums);
      const T* bias = epilogue.bias;
      for (Index v = 0; v < width; v += kLanes<T>) {
        store_line(Vector<T>::load_aligned(sums + v), c + first + v, bias != nullptr ? bias + first + v : nullptr,
                   std::min(kLanes<T>, width - v), epilogue);
      }
    }
  });
}

}  // namespace weft::kernels
