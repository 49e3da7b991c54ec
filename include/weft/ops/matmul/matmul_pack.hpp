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

/// `squares` square blocks of `pack_across`, one after the other: the source rows become vectors. It walks along its lines:
/// with sixteen distances from the first one g++ ran out of registers.
template <class T, class Stored>
void pack_squares(const Stored* from, Index step, Index squares, T* out, Index out_depth) {
  for (Index square = 0; square < squares; ++square) {
    SquareBlock<T> block;
    const Stored* line = from + square * kLanes<T>;
#pragma GCC unroll 16
    for (Index i = 0; i < kLanes<T>; ++i) {
      block[i] = load_widened<T>(line).data;
      line += step;
    }
    transpose<T>(block);
#pragma GCC unroll 16
    for (Index i = 0; i < kLanes<T>; ++i) {
      Vector<T>(block[i]).store_unaligned(out);
      out += out_depth;
    }
  }
}

/// A part of a square block: `rows` source rows of `columns` values become `columns` vectors.
template <class T, class Stored>
void pack_part(const Stored* from, Index step, Index rows, Index columns, T* out, Index out_depth) {
  SquareBlock<T> block;
  for (Index i = 0; i < kLanes<T>; ++i) {
    block[i] = i < rows ? load_first_widened<T>(from + i * step, columns).data : Vector<T>(T(0)).data;
  }
  transpose<T>(block);
  for (Index i = 0; i < columns; ++i) Vector<T>(block[i]).store_unaligned(out + i * out_depth);
}

/// As `pack_along`, from a source whose depth is contiguous: transposed in registers, a square block at a time.
template <class T, class Stored>
void pack_across(Strided<Stored> from, Index count, Index depth, T* out, Index out_depth) {
  Index p = 0;
  if (count == kLanes<T>) {
    pack_squares(from.data, from.step, depth / kLanes<T>, out, out_depth);
    p = depth / kLanes<T> * kLanes<T>;
  }
  for (; p < depth; p += kLanes<T>) {
    pack_part(from.data + p, from.step, count, std::min(kLanes<T>, depth - p), out + p * out_depth, out_depth);
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
