// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reductions along a row, and sums over rows whose order no number of threads changes.
#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft::kernels {

/// Sums over a row, `Sums` at a time: `add_terms(i, access, sums)` adds the terms of one vector to an array of vectors.
/// Beyond the end of the row it reads zeros, whose terms have to be zero. Four of each run side by side, because an
/// addition takes four cycles.
template <class T, std::size_t Sums, class AddTerms>
inline std::array<T, Sums> row_sums(Index count, AddTerms&& add_terms) {
  constexpr Index ways = 4;
  std::array<Vector<T>, Sums> sums[ways];
#pragma GCC unroll 4
  for (auto& way_sums : sums) way_sums.fill(Vector<T>(T{0}));
  Index i = 0;
  for (; i + ways * kLanes<T> <= count; i += ways * kLanes<T>) {
#pragma GCC unroll 4
    for (Index way = 0; way < ways; ++way) add_terms(i + way * kLanes<T>, WholeVector{}, sums[way]);
  }
  for_each_vector<T>(count - i, [&](Index rest, auto access) { add_terms(i + rest, access, sums[0]); });
  std::array<T, Sums> totals;
#pragma GCC unroll 4
  for (std::size_t s = 0; s < Sums; ++s) {
    totals[s] = xsimd::hadd(Vector<T>((sums[0][s] + sums[1][s]) + (sums[2][s] + sums[3][s])));
  }
  return totals;
}

/// The largest element of a row, -infinity for an empty one; undefined where the row holds a NaN.
template <class T>
inline T row_max(Index count, const T* row) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  constexpr Index ways = 4;
  Vector<T> largest[ways] = {Vector<T>(lowest), Vector<T>(lowest), Vector<T>(lowest), Vector<T>(lowest)};
  Index i = 0;
  for (; i + ways * kLanes<T> <= count; i += ways * kLanes<T>) {
#pragma GCC unroll 4
    for (Index way = 0; way < ways; ++way) {
      largest[way] = xsimd::max(largest[way], Vector<T>::load_unaligned(row + i + way * kLanes<T>));
    }
  }
  for_each_vector<T>(count - i, [&](Index rest, auto access) {
    largest[0] = xsimd::max(largest[0], access.load_or(row + i + rest, lowest));
  });
  return max_lanes<T>(xsimd::max(xsimd::max(largest[0], largest[1]), xsimd::max(largest[2], largest[3])));
}

/// Runs `body(begin, end, sums)` over blocks of rows, on all threads, where `sums` are `width` zeros to which the body
/// adds; then `finish(totals)` with the sums of all blocks. The blocks depend on the number of rows alone, and so does
/// the order of every addition.
template <class Tag, class T, class Body, class Finish>
inline void for_row_blocks(Index rows, Index width, Body&& body, Finish&& finish) {
  constexpr Index most_blocks = 32;
  constexpr Index fewest_rows = 8;
  const Index blocks = std::clamp<Index>(rows / fewest_rows, 1, most_blocks);
  T* sums = thread_scratch<Tag, T>(blocks * width);
  const Index grain = rows_worth_a_thread(width) * blocks / std::max<Index>(1, rows) + 1;
  parallel_for(blocks, grain, [&](Index begin, Index end) {
    for (Index block = begin; block < end; ++block) {
      T* own = sums + block * width;
      std::fill(own, own + width, T{0});
      body(rows * block / blocks, rows * (block + 1) / blocks, own);
    }
  });
  for (Index block = 1; block < blocks; ++block) {
    const T* own = sums + block * width;
    for (Index i = 0; i < width; ++i) sums[i] += own[i];
  }
  finish(static_cast<const T*>(sums));
}

}  // namespace weft::kernels
