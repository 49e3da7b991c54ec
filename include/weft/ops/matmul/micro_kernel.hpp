// SPDX-License-Identifier: Apache-2.0
/// \file
/// The inner loop of every matrix product: a tile of the result lives in registers while the depth runs by.
#pragma once

#include <utility>

#include "weft/ops/matmul/matmul_epilogue.hpp"
#include "weft/ops/matmul/matmul_simd.hpp"

namespace weft::kernels {

/// Rows and vectors of the largest tile: 24 (or 12) accumulators, the rest of the registers for operands. Six rows never
/// crowd a set of the first cache level, however far apart they lie, so the rows need no packing.
inline constexpr Index kTileRows = 6;
inline constexpr Index kTileVectors = kManyRegisters ? 4 : 2;

/// Tiles of one vector may be taller: with six accumulators the latency of the multiply-add would show.
inline constexpr Index kTallRows = kManyRegisters ? 16 : 8;

/// Columns of the largest tile.
template <class T>
inline constexpr Index kTileColumns = kTileVectors* kLanes<T>;

/// Lines of memory that a later tile will need: two at `at`, two more `step` bytes further with every `every`-th step of the
/// depth, another `jump` bytes on after each `run` of them, `times` in all.
struct Lookahead {
  const char* at = nullptr;
  Index step = 0;
  Index run = 1;
  Index jump = 0;
  Index times = 0;
  Index every = 1;
};

/// Where a tile reads. x(r, p) = x[r * x_row + p * x_depth] is broadcast; y(p, v) = y[p * y_depth + v] is loaded by vectors.
template <class T>
struct TileInput {
  const T* x;
  Index x_row;
  Index x_depth;
  const T* y;
  Index y_depth;
  Index depth;
  Lookahead ahead{};
  T* copy = nullptr;  // where a copying tile leaves y, row behind row without gaps
};

/// The input of a tile that fetches nothing.
template <class T>
TileInput<T> tile_input(const T* x, Index x_row, Index x_depth, const T* y, Index y_depth, Index depth) {
  return {x, x_row, x_depth, y, y_depth, depth};
}

/// Where a tile goes: c[r * c_row + v] = alpha * sum + base, base being bias[v], the old c, both or nothing.
template <class T>
struct TileOutput {
  T* c;
  Index c_row;
  MatmulEpilogue<T> epilogue;
  bool fetched = false;  ///< whether its place is looked up first: it is written only after the whole depth
};

namespace detail {

/// Fetches the lines that a tile will write.
template <int Rows, int Vectors, class T>
[[gnu::always_inline]] inline void fetch_tile(const TileOutput<T>& out) {
  const T* c = out.c;
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) __builtin_prefetch(c + v * kLanes<T>, 0, 2);
    c += out.c_row;
  }
}

/// Writes the sums of a tile through its epilogue.
template <int Rows, int Vectors, class T>
[[gnu::always_inline]] inline void store_tile(const Vector<T> (&sums)[Rows][Vectors], const TileOutput<T>& out) {
  constexpr Index lanes = kLanes<T>;
  const Vector<T> alpha(out.epilogue.alpha);
  const T* bias_from = out.epilogue.bias;
  const bool accumulate = out.epilogue.accumulate;
  const Index c_row = out.c_row;
  Vector<T> bias[Vectors];
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; ++v) {
    bias[v] = bias_from != nullptr ? Vector<T>::load_unaligned(bias_from + v * lanes) : Vector<T>(T(0));
  }
  T* c = out.c;
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      const Vector<T> base = accumulate ? bias[v] + Vector<T>::load_unaligned(c + v * lanes) : bias[v];
      multiply_add(alpha, sums[r][v], base).store_unaligned(c + v * lanes);
    }
    c += c_row;
  }
}

/// The sums run over the depth in order, one multiply-add each, whatever the tile: an element does not depend on the tile
/// it falls in. Rows are addressed in groups so that the addresses fit the general registers: a value that does not is kept
/// in a vector register, and its way back takes the place of a multiply-add.
template <int Rows, int Vectors, bool Copy, class T>
void multiply_tile(const TileInput<T>& in, const TileOutput<T>& out) {
  constexpr int group = Rows > kTileRows ? 4 : 3;
  constexpr int groups = (Rows + group - 1) / group;
  constexpr Index lanes = kLanes<T>;
  if (out.fetched) fetch_tile<Rows, Vectors>(out);
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
  for (int g = 0; g < groups; ++g) x[g] = in.x + group * g * x_row;
  const T* y = in.y;
  [[maybe_unused]] T* copy = in.copy;
  const char* ahead = in.ahead.at;
  Index left = in.ahead.run;
  Index times = in.ahead.times;
  Index wait = times > 0 ? in.ahead.every : 0;  // steps until the next two lines; below 1: never
  for (Index steps = in.depth; steps > 0; --steps) {
    Vector<T> right[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      right[v] = Vector<T>::load_unaligned(y + v * lanes);
      hold<T>(right[v]);
      if constexpr (Copy) right[v].store_aligned(copy + v * lanes);
    }
    if constexpr (Copy) copy += Vectors * lanes;
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const Vector<T> x_value(x[r / group][r % group * x_row]);
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sums[r][v] = multiply_add(x_value, right[v], sums[r][v]);
    }
#pragma GCC unroll 4
    for (int g = 0; g < groups; ++g) x[g] += x_depth;
    y += y_depth;
    if (--wait == 0) {
      __builtin_prefetch(ahead, 0, 2);
      __builtin_prefetch(ahead + 64, 0, 2);
      ahead += in.ahead.step;
      if (--left == 0) {
        left = in.ahead.run;
        ahead += in.ahead.jump;
      }
      if (--times > 0) wait = in.ahead.every;
    }
  }
  store_tile(sums, out);
}

template <class T>
using TileFunction = void (*)(const TileInput<T>&, const TileOutput<T>&);

template <class T, int... Row, int... Width>
TileFunction<T> pick_tile(Index rows, Index vectors, std::integer_sequence<int, Row...>,
                          std::integer_sequence<int, Width...>) {
  static constexpr int width = sizeof...(Width);
  static constexpr TileFunction<T> tiles[] = {multiply_tile<Row / width + 1, Row % width + 1, false, T>...};
  return tiles[(rows - 1) * width + vectors - 1];
}

}  // namespace detail

/// The kernel for a tile of 1 to `kTileRows` rows and 1 to `kTileVectors` vectors, or of `kTallRows` rows (or half of them)
/// and one vector.
template <class T>
detail::TileFunction<T> tile_function(Index rows, Index vectors) {
  if (rows == kTallRows) return detail::multiply_tile<kTallRows, 1, false, T>;
  if (rows == kTallRows / 2 && rows > kTileRows) return detail::multiply_tile<kTallRows / 2, 1, false, T>;
  return detail::pick_tile<T>(rows, vectors, std::make_integer_sequence<int, kTileRows * kTileVectors>{},
                              std::make_integer_sequence<int, kTileVectors>{});
}

/// The kernel for a tile of `kTileRows` rows that also copies y to `copy` as it goes.
template <class T>
detail::TileFunction<T> copying_tile_function(Index vectors) {
  static constexpr detail::TileFunction<T> tiles[] = {
      detail::multiply_tile<kTileRows, 1, true, T>, detail::multiply_tile<kTileRows, 2, true, T>,
      detail::multiply_tile<kTileRows, 3, true, T>, detail::multiply_tile<kTileRows, 4, true, T>};
  return tiles[vectors - 1];
}

/// Rows of the next tile when `remaining` are left, evened out so that no tile is much thinner than the others.
inline Index next_tile_rows(Index remaining, Index vectors, bool aliased) {
  if (vectors == 1) {
    if (remaining >= kTallRows && !aliased) return kTallRows;
    if (remaining >= kTallRows / 2 && kTallRows / 2 > kTileRows) return kTallRows / 2;
  }
  if (remaining <= kTileRows) return remaining;
  return remaining < kTileRows + kTileRows / 2 ? (remaining + 1) / 2 : kTileRows;
}

/// Vectors of the next panel when `remaining` columns are left, evened out in the same way.
template <class T>
inline Index next_panel_columns(Index remaining) {
  if (remaining <= kTileColumns<T>) return remaining;
  if (remaining <= kTileColumns<T> + kLanes<T>) return (kTileVectors + 1) / 2 * kLanes<T>;
  return kTileColumns<T>;
}

}  // namespace weft::kernels
