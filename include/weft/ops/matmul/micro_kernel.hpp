// SPDX-License-Identifier: Apache-2.0
/// \file
/// The inner loop of every matrix product: a tile of the result lives in registers while the depth runs by.
#pragma once

#include <utility>

#include "weft/ops/matmul/matmul_epilogue.hpp"
#include "weft/ops/matmul/matmul_simd.hpp"

namespace weft::kernels {

/// Rows and vectors of the largest tile: 28 (or 12) accumulators, the rest of the registers for operands.
inline constexpr Index kTileRows = kManyRegisters ? 14 : 6;
inline constexpr Index kTileVectors = 2;

/// Columns of the largest tile.
template <class T>
inline constexpr Index kTileColumns = kTileVectors * kLanes<T>;

/// Where a tile reads. x(r, p) = x[r * x_row + p * x_depth] is broadcast; y(p, v) = y[p * y_depth + v] is loaded by vectors.
template <class T>
struct TileInput {
  const T* x;
  Index x_row;
  Index x_depth;
  const T* y;
  Index y_depth;
  Index depth;
  const T* ahead;  // what a later tile will read: two cache lines are prefetched from ahead[p * ahead_depth]
  Index ahead_depth;
};

/// Where a tile goes: c[r * c_row + v] = alpha * sum + base, base being bias[v], the old c, both or nothing.
template <class T>
struct TileOutput {
  T* c;
  Index c_row;
  MatmulEpilogue<T> epilogue;
};

namespace detail {

/// The sums run over the depth in order, one multiply-add each, whatever the tile: an element does not depend on the tile
/// it falls in. Rows are addressed in groups of four so that the addresses fit the general registers.
template <int Rows, int Vectors, class T>
void multiply_tile(const TileInput<T>& in, const TileOutput<T>& out) {
  constexpr int groups = (Rows + 3) / 4;
  constexpr Index lanes = kLanes<T>;
  Vector<T> sums[Rows][Vectors];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) sums[r][v] = Vector<T>(T(0));
  }
  const Index x_row = in.x_row;
  const Index x_depth = in.x_depth;
  const Index y_depth = in.y_depth;
  const T* x[groups];
#pragma GCC unroll 4
  for (int g = 0; g < groups; ++g) x[g] = in.x + 4 * g * x_row;
  const T* y = in.y;
  const T* ahead = in.ahead;
  const Index ahead_depth = in.ahead_depth;
#ifdef CPF
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) __builtin_prefetch(out.c + r * out.c_row + v * lanes, 1, CPF);
  }
#endif
  for (Index p = in.depth; p > 0; --p) {
    Vector<T> right[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) right[v] = Vector<T>::load_unaligned(y + v * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const Vector<T> left(x[r / 4][r % 4 * x_row]);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sums[r][v] = multiply_add(left, right[v], sums[r][v]);
    }
#pragma GCC unroll 4
    for (int g = 0; g < groups; ++g) x[g] += x_depth;
    y += y_depth;
    __builtin_prefetch(ahead, 0, 2);
    __builtin_prefetch(ahead + 64 / sizeof(T), 0, 2);
    ahead += ahead_depth;
  }
  const Vector<T> alpha(out.epilogue.alpha);
  const bool accumulate = out.epilogue.accumulate;
  T* c = out.c;
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; ++v) {
    const Vector<T> bias = out.epilogue.bias != nullptr ? Vector<T>::load_unaligned(out.epilogue.bias + v * lanes)
                                                        : Vector<T>(T(0));
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      T* to = c + r * out.c_row + v * lanes;
      const Vector<T> base = accumulate ? bias + Vector<T>::load_unaligned(to) : bias;
      multiply_add(alpha, sums[r][v], base).store_unaligned(to);
    }
  }
}

template <class T>
using TileFunction = void (*)(const TileInput<T>&, const TileOutput<T>&);

template <class T, int... Row>
TileFunction<T> pick_tile(Index rows, Index vectors, std::integer_sequence<int, Row...>) {
  static constexpr TileFunction<T> one[] = {multiply_tile<Row + 1, 1, T>...};
  static constexpr TileFunction<T> two[] = {multiply_tile<Row + 1, 2, T>...};
  return vectors == 1 ? one[rows - 1] : two[rows - 1];
}

}  // namespace detail

/// The kernel for a tile of 1 to `kTileRows` rows and 1 or 2 vectors.
template <class T>
detail::TileFunction<T> tile_function(Index rows, Index vectors) {
  return detail::pick_tile<T>(rows, vectors, std::make_integer_sequence<int, static_cast<int>(kTileRows)>{});
}

}  // namespace weft::kernels
