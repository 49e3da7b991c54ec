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

/// Columns whose sums stay in the first cache while the lines run by (16 KB: the longer the pieces of lines, the faster memory
/// is), and lines that are added at a time.
template <class T>
inline constexpr Index kStripColumns = 16384 / static_cast<Index>(sizeof(T));
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

/// sums[v] = Σ_p a[p * a_step] b[p * ldb + v] over all `k` lines, in order. The sums of so few columns stay in registers, and
/// lines that have no more of them are read one after the other.
template <Index Vectors, class T, class B>
void sum_narrow_lines(const T* a, Index a_step, const B* b, Index ldb, Index k, T* sums) {
  constexpr Index width = Vectors * kLanes<T>;
  constexpr Index lines_ahead = kBytesAhead / (width * static_cast<Index>(sizeof(B)));
  const auto look_up = [](const B* line) {
    for (Index v = 0; v < width; v += 64 / static_cast<Index>(sizeof(B))) __builtin_prefetch(line + v, 0, 2);
  };
  for (Index p = 0; p < std::min(k, lines_ahead); ++p) look_up(b + p * ldb);
  Vector<T> running[Vectors];
#pragma GCC unroll 8
  for (Index v = 0; v < Vectors; ++v) running[v] = Vector<T>(T(0));
  for (Index p = 0; p < k; ++p) {
    const Vector<T> factor(a[p * a_step]);
    if (p + lines_ahead < k) look_up(b + lines_ahead * ldb);
#pragma GCC unroll 8
    for (Index v = 0; v < Vectors; ++v) {
      running[v] = multiply_add(factor, load_widened<T>(b + v * kLanes<T>), running[v]);
    }
    b += ldb;
  }
#pragma GCC unroll 8
  for (Index v = 0; v < Vectors; ++v) running[v].store_aligned(sums + v * kLanes<T>);
}

/// The same for any number of columns, in the first cache level.
template <class T, class B>
void sum_lines(const T* a, Index a_step, const B* b, Index ldb, Index k, Index width, T* sums) {
  std::fill(sums, sums + (width + kLanes<T> - 1) / kLanes<T> * kLanes<T>, T(0));
  Index p = 0;
  for (; p + kLinesAtATime <= k; p += kLinesAtATime) {
    add_lines<kLinesAtATime>(a + p * a_step, a_step, b + p * ldb, ldb, width, sums);
  }
  for (; p < k; ++p) add_lines<1>(a + p * a_step, a_step, b + p * ldb, ldb, width, sums);
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
    for (Index first = begin * unit; first < last; first += kStripColumns<T>) {
      const Index width = std::min(kStripColumns<T>, last - first);
      alignas(64) T sums[kStripColumns<T>];
      if (width == unit) {
        sum_narrow_lines<4>(a, a_step, b + first, ldb, k, sums);
      } else if (width == 2 * unit) {
        sum_narrow_lines<8>(a, a_step, b + first, ldb, k, sums);
      } else {
        sum_lines(a, a_step, b + first, ldb, k, width, sums);
      }
      const T* bias = epilogue.bias;
      for (Index v = 0; v < width; v += kLanes<T>) {
        store_line(Vector<T>::load_aligned(sums + v), c + first + v, bias != nullptr ? bias + first + v : nullptr,
                   std::min(kLanes<T>, width - v), epilogue);
      }
    }
  });
}

}  // namespace weft::kernels
