// SPDX-License-Identifier: Apache-2.0
/// \file
/// The way of sums from scratch to memory where the micro-kernel cannot write them directly: ragged right edges and transposed
/// results.
#pragma once

#include <algorithm>

#include "weft/ops/matmul/matmul_simd.hpp"
#include "weft/ops/matmul/micro_kernel.hpp"

namespace weft::kernels::detail {

/// alpha * sums + base for the first `count` elements at `to`: the same operations as in the micro-kernel.
template <class T>
inline void store_line(Vector<T> sums, T* to, const T* bias, Index count, const MatmulEpilogue<T>& epilogue) {
  Vector<T> base = bias != nullptr ? load_first(bias, count) : Vector<T>(T(0));
  if (epilogue.accumulate) base = base + load_first(to, count);
  store_first(to, multiply_add(Vector<T>(epilogue.alpha), sums, base), count);
}

/// Stores rows × columns of sums (rows `sums_row` apart) to c[r * c_row + v].
template <class T>
void store_sums(const T* sums, Index sums_row, Index rows, Index columns, const TileOutput<T>& out) {
  const T* bias = out.epilogue.bias;
  for (Index v = 0; v < columns; v += kLanes<T>) {
    const Index count = std::min(kLanes<T>, columns - v);
    for (Index r = 0; r < rows; ++r) {
      store_line(Vector<T>::load_unaligned(sums + r * sums_row + v), out.c + r * out.c_row + v,
                 bias != nullptr ? bias + v : nullptr, count, out.epilogue);
    }
  }
}

/// Stores rows × columns of sums to c[v * c_row + r]; the bias runs over r.
template <class T>
void store_sums_transposed(const T* sums, Index sums_row, Index rows, Index columns, const TileOutput<T>& out) {
  for (Index v = 0; v < columns; v += kLanes<T>) {
    const Index count = std::min(kLanes<T>, columns - v);
    for (Index r = 0; r < rows; r += kLanes<T>) {
      const Index lines = std::min(kLanes<T>, rows - r);
      const T* bias = out.epilogue.bias != nullptr ? out.epilogue.bias + r : nullptr;
      const T* from = sums + r * sums_row + v;
      SquareBlock<T> block;
#pragma GCC unroll 16
      for (Index i = 0; i < kLanes<T>; ++i) {
        block[i] = Vector<T>::load_unaligned(from + std::min(i, lines - 1) * sums_row).data;
      }
      transpose<T>(block);
      for (Index i = 0; i < count; ++i) {
        store_line(Vector<T>(block[i]), out.c + (v + i) * out.c_row + r, bias, lines, out.epilogue);
      }
    }
  }
}

}  // namespace weft::kernels::detail
