// SPDX-License-Identifier: Apache-2.0
/// \file
/// Copies of operands in the order the micro-kernel reads them, widened from bf16 on the way.
#pragma once

#include <algorithm>

#include "weft/ops/matmul/matmul_simd.hpp"

namespace weft::kernels {

/// A matrix seen by the kernels: element (i, p) of an operand's own axis and the depth is data[i * step + p * depth].
/// One of the two strides is 1.
template <class Stored>
struct Strided {
  const Stored* data;
  Index step;
  Index depth;

  Strided at(Index i, Index p) const { return {data + i * step + p * depth, step, depth}; }
};

namespace detail {

/// out[p * out_depth + i] for i < count <= lanes, from a source whose own axis is contiguous. Writes whole vectors: up to
/// lanes - count values behind each row are overwritten, and the next row puts them right.
template <class T, class Stored>
void pack_along(Strided<Stored> from, Index count, Index depth, T* out, Index out_depth) {
  if (count == kLanes<T>) {
    for (Index p = 0; p < depth; ++p) load_widened<T>(from.data + p * from.depth).store_unaligned(out + p * out_depth);
    return;
  }
  for (Index p = 0; p < depth; ++p) {
    load_first_widened<T>(from.data + p * from.depth, count).store_unaligned(out + p * out_depth);
  }
}

/// One square block of `pack_across`: `rows` source rows of `columns` values become `columns` vectors.
template <class T, class Stored>
inline void pack_square(const Stored* from, Index step, Index rows, Index columns, T* out, Index out_depth) {
  SquareBlock<T> block;
  if (rows == kLanes<T> && columns == kLanes<T>) {
#pragma GCC unroll 16
    for (Index i = 0; i < kLanes<T>; ++i) block[i] = load_widened<T>(from + i * step).data;
  } else {
    for (Index i = 0; i < kLanes<T>; ++i) {
      block[i] = i < rows ? load_first_widened<T>(from + i * step, columns).data : Vector<T>(T(0)).data;
    }
  }
  transpose<T>(block);
  if (columns == kLanes<T>) {
#pragma GCC unroll 16
    for (Index i = 0; i < kLanes<T>; ++i) Vector<T>(block[i]).store_unaligned(out + i * out_depth);
  } else {
    for (Index i = 0; i < columns; ++i) Vector<T>(block[i]).store_unaligned(out + i * out_depth);
  }
}

/// As `pack_along`, from a source whose depth is contiguous: transposed in registers, a square block at a time.
template <class T, class Stored>
void pack_across(Strided<Stored> from, Index count, Index depth, T* out, Index out_depth) {
  for (Index p = 0; p < depth; p += kLanes<T>) {
    pack_square(from.data + p, from.step, count, std::min(kLanes<T>, depth - p), out + p * out_depth, out_depth);
  }
}

}  // namespace detail

/// Copies `count` lines of an operand over `depth` to out[p * out_depth + i]. Lines beyond `count` up to a whole vector
/// become zero. Needs room for one vector behind the last value.
template <class T, class Stored>
void pack(Strided<Stored> from, Index count, Index depth, T* out, Index out_depth) {
  // From the last lines to the first: only the last may spill, and what it spills on is written later.
  for (Index i = (count - 1) / kLanes<T> * kLanes<T>; i >= 0; i -= kLanes<T>) {
    const Index lines = std::min(kLanes<T>, count - i);
    if (from.step == 1) {
      detail::pack_along(from.at(i, 0), lines, depth, out + i, out_depth);
    } else {
      detail::pack_across(from.at(i, 0), lines, depth, out + i, out_depth);
    }
  }
}

}  // namespace weft::kernels
