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

/// Stores `squares` square blocks of sums, one under the other, transposed: c[v * c_row + r]; the bias runs over r.
template <class T>
void store_squares_transposed(const T* sums, Index sums_row, Index squares, const TileOutput<T>& out) {
  const Vector<T> alpha(out.epilogue.alpha);
  const T* bias_from = out.epilogue.bias;
  const bool accumulate = out.epilogue.accumulate;
  for (Index square = 0; square < squares; ++square) {
    SquareBlock<T> block;
#pragma GCC unroll 16
    for (Index i = 0; i < kLanes<T>; ++i) {
      block[i] = Vector<T>::load_unaligned(sums).data;
      sums += sums_row;
    }
    transpose<T>(block);
    const Index r = square * kLanes<T>;
    const Vector<T> bias = bias_from != nullptr ? Vector<T>::load_unaligned(bias_from + r) : Vector<T>(T(0));
    T* c = out.c + r;
#pragma GCC unroll 16
    for (Index i = 0; i < kLanes<T>; ++i) {
      const Vector<T> base = accumulate ? bias + Vector<T>::load_unaligned(c) : bias;
      multiply_add(alpha, Vector<T>(block[i]), base).store_unaligned(c);
      c += out.c_row;
    }
  }
}

/// The same for `rows` × `columns` of one block.
template <class T>
void store_part_transposed(const T* sums, Index sums_row, Index rows, Index columns, const TileOutput<T>& out) {
  SquareBlock<T> block;
  for (Index i = 0; i < kLanes<T>; ++i) {
    block[i] = Vector<T>::load_unaligned(sums + std::min(i, rows - 1) * sums_row).data;
  }
  transpose<T>(block);
  for (Index i = 0; i < columns; ++i) {
    store_line(Vector<T>(block[i]), out.c + i * out.c_row, out.epilogue.bias, rows, out.epilogue);
  }
}

/// Stores rows × columns of sums to c[v * c_row + r].
template <class T>
void store_sums_transposed(const T* sums, Index sums_row, Index rows, Index columns, const TileOutput<T>& out) {
  for (Index v = 0; v < columns; v += kLanes<T>) {
    const Index count = std::min(kLanes<T>, columns - v);
    Index r = 0;
    if (count == kLanes<T>) {
      r = rows / kLanes<T> * kLanes<T>;
      store_squares_transposed(sums + v, sums_row, r / kLanes<T>, {out.c + v * out.c_row, out.c_row, out.epilogue});
    }
    for (; r < rows; r += kLanes<T>) {
      TileOutput<T> part{out.c + v * out.c_row + r, out.c_row, out.epilogue};
      if (part.epilogue.bias != nullptr) part.epilogue.bias += r;
      store_part_transposed(sums + r * sums_row + v, sums_row, std::min(kLanes<T>, rows - r), count, part);
    }
  }
}

}  // namespace weft::kernels::detail
