// SPDX-License-Identifier: Apache-2.0
/// \file
/// Products of very few rows with a transposed matrix, as in decoding token by token: nothing is worth packing, every weight
/// is used once or a few times, and reading them is all the time there is.
#pragma once

#include <algorithm>
#include <utility>

#include "weft/ops/matmul/matmul_epilogue.hpp"
#include "weft/ops/matmul/matmul_simd.hpp"
#include "weft/ops/vector_loop.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft::kernels {

/// Rows of A up to which `multiply_few_rows` is the faster way: their sums fill the registers.
inline constexpr Index kFewRows = kManyRegisters ? 4 : 2;

namespace detail {

/// Lines of B that share every load of A. More of them, a power of two bytes apart, would crowd a set of the first cache.
inline constexpr Index kDotLines = 4;
/// Bytes of B that are worth another thread, and bytes that are asked for ahead of their use.
inline constexpr Index kBytesWorthAThread = 1 << 16;
inline constexpr Index kBytesAhead = 1 << 14;

/// The scalar products of a few rows of A with a few lines of B.
template <class T, class B>
struct DotInput {
  const T* a[kFewRows];
  const B* b[kDotLines];
  Index depth;
  Index ahead;  // from an element of B to one that is asked for from memory meanwhile
};

/// Sums the lanes of four vectors at once: two rounds of exchanging lanes and adding leave a sum of each in turn.
template <class T>
inline void sum_lines(Vector<T> (&lines)[kDotLines], T (&sums)[kDotLines]) {
  if constexpr (kLanes<T> >= kDotLines) {
    constexpr auto lanes = std::make_integer_sequence<int, static_cast<int>(kLanes<T>)>{};
    exchange_blocks<1>(lines[0].data, lines[1].data, lanes);
    exchange_blocks<1>(lines[2].data, lines[3].data, lanes);
    Vector<T> low = lines[0] + lines[1];
    Vector<T> high = lines[2] + lines[3];
    exchange_blocks<2>(low.data, high.data, lanes);
    alignas(Vector<T>) T quarters[kLanes<T>];
    (low + high).store_aligned(quarters);
    for (Index l = 0; l < kDotLines; ++l) {
      sums[l] = quarters[l];
      for (Index i = l + kDotLines; i < kLanes<T>; i += kDotLines) sums[l] += quarters[i];
    }
  } else {
    for (Index l = 0; l < kDotLines; ++l) sums[l] = sum_lanes(lines[l]);
  }
}

/// sums[r][l] = Σ_p a[r][p] b[l][p]. A row alone has several running sums for each line: with one, the latency of the
/// multiply-add would show.
template <Index Rows, class T, class B>
void dot_products(const DotInput<T, B>& in, T (&sums)[kFewRows][kDotLines]) {
  constexpr Index lanes = kLanes<T>;
  constexpr Index steps = Rows == 1 ? kFewRows : 1;
  Vector<T> running[steps][Rows][kDotLines];
  for (auto& step : running) {
    for (auto& row : step) std::fill(row, row + kDotLines, Vector<T>(T(0)));
  }
  const auto add = [&](Vector<T>(&step)[Rows][kDotLines], Index p, auto access) {
    Vector<T> lines[kDotLines];
#pragma GCC unroll 4
    for (Index l = 0; l < kDotLines; ++l) {
      lines[l] = access.template load_widened<T>(in.b[l] + p);
      __builtin_prefetch(in.b[l] + p + in.ahead, 0, 2);
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
  for (Index r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (Index s = 1; s < steps; ++s) {
#pragma GCC unroll 4
      for (Index l = 0; l < kDotLines; ++l) running[0][r][l] = running[0][r][l] + running[s][r][l];
    }
    sum_lines<T>(running[0][r], sums[r]);
  }
}

}  // namespace detail

/// `C[m,n] = alpha * A[m,k] B[n,k]ᵀ [+ bias[n]] [+ C]` for 1 <= m <= `kFewRows`, as `matmul`. Threads split the lines of B;
/// an element is computed in the same way wherever it lies, so it does not depend on their number.
template <class T, class B>
void multiply_few_rows(Index m, Index n, Index k, const T* a, Index lda, const B* b, Index ldb, T* c, Index ldc,
                       const MatmulEpilogue<T>& epilogue) {
  using detail::kDotLines;
  const auto multiply = m == 1 ? detail::dot_products<1, T, B> : detail::dot_products<kFewRows, T, B>;
  const Index group_bytes = kDotLines * std::max<Index>(k, 1) * static_cast<Index>(sizeof(B));
  const Index grain = (detail::kBytesWorthAThread + group_bytes - 1) / group_bytes;
  const Index groups = (n + kDotLines - 1) / kDotLines;
  const Index groups_ahead = std::min((detail::kBytesAhead + group_bytes - 1) / group_bytes, (groups + 3) / 4);
  parallel_for(groups, grain, [&](Index begin, Index end) {
    detail::DotInput<T, B> in{};
    in.depth = k;
    for (Index r = 0; r < kFewRows; ++r) in.a[r] = a + std::min(r, m - 1) * lda;  // the last row again: never stored
    for (Index group = begin; group < end; ++group) {
      const Index first = group * kDotLines;
      in.ahead = group + groups_ahead < end ? groups_ahead * kDotLines * ldb : 0;
      for (Index l = 0; l < kDotLines; ++l) in.b[l] = b + std::min(first + l, n - 1) * ldb;
      T sums[kFewRows][kDotLines];
      multiply(in, sums);
      for (Index r = 0; r < m; ++r) {
        for (Index l = 0; l < std::min(kDotLines, n - first); ++l) {
          T& to = c[r * ldc + first + l];
          T base = epilogue.bias != nullptr ? epilogue.bias[first + l] : T(0);
          if (epilogue.accumulate) base += to;
          to = epilogue.alpha * sums[r][l] + base;
        }
      }
    }
  });
}

}  // namespace weft::kernels
