// SPDX-License-Identifier: Apache-2.0
/// \file
/// Products of few rows with a transposed matrix, as in decoding token by token or reading a short prompt: nothing is worth
/// packing, and reading the weights is all the time there is. They are read once, a few lines at a time, which stay in the first
/// cache level while the rows pass by.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>

#include "weft/ops/matmul/matmul_epilogue.hpp"
#include "weft/ops/matmul/matmul_simd.hpp"
#include "weft/ops/vector_loop.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft::kernels {

/// Rows of A up to which `multiply_few_rows` is the faster way: more where weights would have to be widened into a copy.
template <class T, class B>
inline constexpr Index kFewRows = (kManyRegisters ? 12 : 4) * (std::is_same_v<T, B> ? 1 : 2);

namespace detail {

/// Rows of A that share every load of B: their sums fill the registers.
inline constexpr Index kDotRows = kManyRegisters ? 4 : 2;
/// Lines of B that share every load of A. More of them, a power of two bytes apart, would crowd a set of the first cache.
inline constexpr Index kDotLines = 4;
/// Bytes of B that are worth another thread, and bytes that are asked for ahead of their use.
inline constexpr Index kBytesWorthAThread = 1 << 16;
inline constexpr Index kBytesAhead = 1 << 14;

/// The scalar products of a few rows of A with a few lines of B.
template <class T, class B>
struct DotInput {
  const T* a[kDotRows];
  const B* b[kDotLines];
  Index depth;
  Index ahead[kDotLines];  // from an element of B to one that is asked for from memory meanwhile
};

/// Sums the lanes of `Count` vectors at once, a power of two: rounds of exchanging lanes and adding, after each of which half
/// as many vectors hold twice as many sums. Each sum adds its lanes in the same order.
template <int Count, int Block, class T>
inline void sum_each(Vector<T>* vectors, T* sums) {
  constexpr auto lanes = std::make_integer_sequence<int, static_cast<int>(kLanes<T>)>{};
  if constexpr (Count > 1 && Block < kLanes<T>) {
#pragma GCC unroll 8
    for (int i = 0; i < Count / 2; ++i) {
      exchange_blocks<Block>(vectors[2 * i].data, vectors[2 * i + 1].data, lanes);
      vectors[i] = vectors[2 * i] + vectors[2 * i + 1];
    }
    sum_each<Count / 2, 2 * Block, T>(vectors, sums);
  } else {  // `Count` vectors of `Block` sums, or one with several parts of each
    alignas(Vector<T>) T parts[Count * kLanes<T>];
    for (int i = 0; i < Count; ++i) vectors[i].store_aligned(parts + i * kLanes<T>);
    for (Index i = 0; i < Count * Block; ++i) {
      sums[i] = parts[i];
      for (Index part = i + Block; part < kLanes<T>; part += Block) sums[i] += parts[part];
    }
  }
}

/// sums[r * kDotLines + l] = Σ_p a[r][p] b[l][p]. A row alone has several running sums for each line: with one, the latency of the
/// multiply-add would show.
template <Index Rows, class T, class B>
void dot_products(const DotInput<T, B>& in, T* sums) {
  constexpr Index lanes = kLanes<T>;
  constexpr Index steps = Rows == 1 ? kDotRows : 1;
  Vector<T> running[steps][Rows][kDotLines];
  for (auto& step : running) {
    for (auto& row : step) std::fill(row, row + kDotLines, Vector<T>(T(0)));
  }
  const auto add = [&](Vector<T>(&step)[Rows][kDotLines], Index p, auto access) {
    Vector<T> lines[kDotLines];
#pragma GCC unroll 4
    for (Index l = 0; l < kDotLines; ++l) {
      lines[l] = access.template load_widened<T>(in.b[l] + p);
      __builtin_prefetch(in.b[l] + p + in.ahead[l], 0, 2);
    }
#pragma GCC unroll 4
    for (Index r = 0; r < Rows; ++r) {
      const Vector<T> row = access.load(in.a[r] + p);
#pragma GCC unroll 4
      for (Index l = 0; l < kDotLines; ++l) step[r][l] = multiply_add(row, lines[l], step[r][l]);
    }
  };
  Index p = 0;
  for (; p + steps * lanes <= in.depth; p += steps * lanes) {
#pragma GCC unroll 4
    for (Index s = 0; s < steps; ++s) add(running[s], p + s * lanes, WholeVector{});
  }
  for (; p + lanes <= in.depth; p += lanes) add(running[0], p, WholeVector{});
  if (p < in.depth) add(running[0], p, PartialVector{in.depth - p});
#pragma GCC unroll 4
  for (Index s = 1; s < steps; ++s) {  // of a row alone
#pragma GCC unroll 4
    for (Index l = 0; l < kDotLines; ++l) running[0][0][l] = running[0][0][l] + running[s][0][l];
  }
  sum_each<Rows * kDotLines, 1, T>(running[0][0], sums);
}

/// A group of lines of B with all rows of A. The lines `ahead` elements further are asked for meanwhile, each once, and by
/// different rows, so that memory has always something to do.
template <class T, class B>
void multiply_lines(DotInput<T, B>& in, Index m, const T* a, Index lda, Index ahead, T* sums) {
  const Index passes = (m + kDotRows - 1) / kDotRows;
  for (Index pass = 0; pass < passes; ++pass) {
    for (Index l = 0; l < kDotLines; ++l) in.ahead[l] = l % passes == pass ? ahead : 0;
    for (Index r = 0; r < kDotRows; ++r) {
      in.a[r] = a + std::min(pass * kDotRows + r, m - 1) * lda;  // the last row again: never stored
    }
    const auto multiply = m == 1 ? dot_products<1, T, B> : dot_products<kDotRows, T, B>;
    multiply(in, sums + pass * kDotRows * kDotLines);
  }
}

}  // namespace detail

/// `C[m,n] = alpha * A[m,k] B[n,k]ᵀ [+ bias[n]] [+ C]` for 1 <= m <= `kFewRows<T, B>`, as `matmul`. Threads split the lines of B;
/// an element is computed in the same way wherever it lies, so it does not depend on their number.
template <class T, class B>
void multiply_few_rows(Index m, Index n, Index k, const T* a, Index lda, const B* b, Index ldb, T* c, Index ldc,
                       const MatmulEpilogue<T>& epilogue) {
  using detail::kDotLines;
  const Index group_bytes = kDotLines * std::max<Index>(k, 1) * static_cast<Index>(sizeof(B));
  const Index grain = (detail::kBytesWorthAThread + group_bytes * m - 1) / (group_bytes * m);
  const Index groups = (n + kDotLines - 1) / kDotLines;
  const Index groups_ahead = std::min((detail::kBytesAhead + group_bytes - 1) / group_bytes, (groups + 3) / 4);
  parallel_for(groups, grain, [&](Index begin, Index end) {
    detail::DotInput<T, B> in{};
    in.depth = k;
    for (Index group = begin; group < end; ++group) {
      const Index first = group * kDotLines;
      const Index ahead = group + groups_ahead < end ? groups_ahead * kDotLines * ldb : 0;
      for (Index l = 0; l < kDotLines; ++l) in.b[l] = b + std::min(first + l, n - 1) * ldb;
      T sums[(kFewRows<T, B> + detail::kDotRows) * kDotLines];
      detail::multiply_lines(in, m, a, lda, ahead, sums);
      for (Index r = 0; r < m; ++r) {
        for (Index l = 0; l < std::min(kDotLines, n - first); ++l) {
          T& to = c[r * ldc + first + l];
          T base = epilogue.bias != nullptr ? epilogue.bias[first + l] : T(0);
          if (epilogue.accumulate) base += to;
          to = epilogue.alpha * sums[r * kDotLines + l] + base;
        }
      }
    }
  });
}

}  // namespace weft::kernels
