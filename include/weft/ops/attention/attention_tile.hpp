// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pieces that all attention kernels share: which keys a block of queries needs, and small products.
///
/// A block of scores is kept transposed, [keys][queries]: the lanes of a vector are queries. Then maxima and sums over keys
/// need no work across lanes, rows of k and v are read where they lie (broadcast, any head dimension), and only the
/// queries are transposed, once a block.
#pragma once

#include <algorithm>

#include "weft/ops/attention/attention_input.hpp"
#include "weft/ops/attention/rows_ahead.hpp"
#include "weft/ops/matmul/matmul_pack.hpp"
#include "weft/ops/matmul/micro_kernel.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft::kernels::detail {

/// Queries of a block, and the distance between the rows of transposed blocks.
inline constexpr Index kQueryBlock = 64;

/// Queries that the micro-kernel takes at a time.
template <class T>
inline constexpr Index kQueryPanel = std::min(kQueryBlock, kTileColumns<T>);

/// Keys and values of one head.
template <class T>
struct KeyValueHead {
  const T* keys = nullptr;
  Index key_stride = 0;
  const T* values = nullptr;
  Index value_stride = 0;
};

/// The head of keys and values that a query head looks at. Long sequences of wide rows are copied together first (for this
/// thread, until its next call): rows half a page apart or more cost the product kernels up to a fifth, and every block of
/// queries reads them again.
template <class T>
KeyValueHead<T> load_head(const AttentionInput<T>& in, Index batch, Index head) {
  constexpr Index near = 2048 / sizeof(T);
  KeyValueHead<T> direct{in.key(batch, head, 0), in.k.row_stride, in.value(batch, head, 0), in.v.row_stride};
  if (in.size.queries < 4 * kQueryBlock || (in.k.row_stride < near && in.v.row_stride < near)) return direct;
  struct Copies {};
  const AttentionSize& size = in.size;
  T* keys = thread_scratch<Copies, T>(size.keys * (size.head_dim + size.value_dim));
  T* values = keys + size.keys * size.head_dim;
  for (Index j = 0; j < size.keys; ++j) {
    std::copy_n(direct.keys + j * direct.key_stride, size.head_dim, keys + j * size.head_dim);
    std::copy_n(direct.values + j * direct.value_stride, size.value_dim, values + j * size.value_dim);
  }
  return {keys, size.head_dim, values, size.value_dim};
}

/// A block of queries of one head.
template <class T>
struct QueryBlock {
  KeyValueHead<T> kv;
  Index batch = 0;
  Index head = 0;
  Index first = 0;                          ///< its first query
  Index count = 0;                          ///< its queries
  Index position = 0;                       ///< the position of its first query among the keys
  Index key_begin = 0;                      ///< keys before this one have weight 0
  Index key_end = 0;                        ///< so have keys from here on
  const std::int32_t* first_key = nullptr;  ///< of its queries, or null
  bool skip_later = false;                  ///< keys after a query are skipped
  bool mask_later = false;                  ///< keys after a query get the smallest number added
  RowsAhead* ahead = nullptr;               ///< what the block's products fetch, or null

  /// The end of the keys that some query before `column` (of this block) needs.
  Index key_end_before(Index column) const { return skip_later ? std::min(key_end, position + column) : key_end; }
};

/// Decides which keys a block needs. Padded keys are skipped when every query of the block sees some key; otherwise, and
/// for a sharpness that does not push them to weight 0, they take part with their masked scores.
template <class T>
QueryBlock<T> plan_block(const AttentionInput<T>& in, const KeyValueHead<T>& kv, Index batch, Index head, Index first) {
  const Index count = std::min(kQueryBlock, in.size.queries - first);
  QueryBlock<T> block{kv, batch, head, first, count, in.size.offset() + first, 0, in.size.keys};
  if (in.mask.key_valid != nullptr) {
    const std::int32_t* valid = in.mask.key_valid + batch * in.size.keys;
    Index begin = 0;
    Index end = in.size.keys;
    while (begin < end && valid[begin] == 0) ++begin;
    while (end > begin && valid[end - 1] == 0) --end;
    const bool all_see = in.mask.causal ? begin <= block.position && begin < end : begin < end;
    if (all_see && in.sharpness > kDecisiveSharpness<T>) {
      block.key_begin = begin;
      block.key_end = end;
      block.skip_later = in.mask.causal;
    } else {
      block.mask_later = in.mask.causal;
    }
  } else {
    block.skip_later = in.mask.skips_later_keys(in.sharpness);
    block.mask_later = in.mask.causal && !block.skip_later;
  }
  if (in.mask.first_key != nullptr) {
    block.first_key = in.mask.first_key + batch * in.size.queries + first;
    block.key_begin = block.first_key[0];
  }
  if (block.skip_later) block.key_end = std::min(block.key_end, block.position + count);
  return block;
}

/// Rows of the next tile: full ones, the last two evened out when the rest would be thin.
inline Index even_tile_rows(Index remaining) {
  if (remaining <= kTileRows) return remaining;
  return remaining < 2 * kTileRows ? (remaining + 1) / 2 : kTileRows;
}

/// c[rows][vectors] (+)= Σ over depth of x(r, p) y(p, ·).
template <class T>
void multiply_rows(Index rows, Index vectors, TileInput<T> in, T* c, Index c_row, bool accumulate, RowsAhead* ahead) {
  for (Index r = 0; r < rows;) {
    const Index count = even_tile_rows(rows - r);
    if (ahead != nullptr) in.ahead = ahead->take(in.depth);
    tile_function<T>(count, vectors)(in, TileOutput<T>{c, c_row, {nullptr, accumulate, T{1}}});
    in.x += count * in.x_row;
    c += count * c_row;
    r += count;
  }
}

/// c += the same for any number of columns, a multiple of the lanes.
template <class T>
void multiply_wide(Index rows, Index columns, TileInput<T> in, T* c, Index c_row, RowsAhead* ahead) {
  for (Index v = 0; v < columns; v += kTileColumns<T>) {
    const Index vectors = std::min(kTileColumns<T>, columns - v) / kLanes<T>;
    multiply_rows(rows, vectors, in, c + v, c_row, true, ahead);
    in.y += kTileColumns<T>;
  }
}

/// Rounds up to whole vectors.
template <class T>
constexpr Index whole_vectors(Index count) {
  return (count + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

/// The lines of a square block, times `factor`; zeros outside of rows × columns.
template <class T>
void load_square(const T* from, Index stride, Index rows, Index columns, Vector<T> factor, SquareBlock<T>& square) {
  if (rows == kLanes<T> && columns == kLanes<T>) {
#pragma GCC unroll 16
    for (Index r = 0; r < kLanes<T>; ++r) square[r] = (factor * Vector<T>::load_unaligned(from + r * stride)).data;
  } else {
    for (Index r = 0; r < kLanes<T>; ++r) {
      square[r] = (r < rows ? factor * load_first(from + r * stride, columns) : Vector<T>(T(0))).data;
    }
  }
}

/// out[c][i] = scale * rows[i][c] for the queries of a block; lanes behind the last query become 0.
template <class T>
void transpose_queries(const T* rows, Index row_stride, Index count, Index features, T scale, T* out) {
  for (Index i = 0; i < count; i += kLanes<T>) {
    for (Index c = 0; c < features; c += kLanes<T>) {
      SquareBlock<T> square;
      const Index lines = std::min(kLanes<T>, features - c);
      load_square(rows + i * row_stride + c, row_stride, std::min(kLanes<T>, count - i), lines, Vector<T>(scale),
                  square);
      transpose<T>(square);
      for (Index r = 0; r < lines; ++r) Vector<T>(square[r]).store_aligned(out + (c + r) * kQueryBlock + i);
    }
  }
}

/// rows[i][c] (+)= factors[i] * block[c][i]: a transposed block back to where queries have rows.
template <class T>
void store_queries(const T* block, Index count, Index features, const T* factors, T* rows, Index row_stride,
                   bool accumulate) {
  for (Index i = 0; i < count; i += kLanes<T>) {
    const Vector<T> factor = Vector<T>::load_aligned(factors + i);
    for (Index c = 0; c < features; c += kLanes<T>) {
      SquareBlock<T> square;
      const Index width = std::min(kLanes<T>, features - c);
      load_square(block + c * kQueryBlock + i, kQueryBlock, width, kLanes<T>, factor, square);
      transpose<T>(square);
      const Index lines = std::min(kLanes<T>, count - i);
      for (Index r = 0; r < lines; ++r) {
        T* to = rows + (i + r) * row_stride + c;
        const Vector<T> line(square[r]);
        store_first(to, accumulate ? load_first(to, width) + line : line, width);
      }
    }
  }
}

/// The queries of a block, and keys and values of its head where that is another than `loaded` and small enough to wait in
/// the second cache level.
template <class T>
void fetch_block(const AttentionInput<T>& in, Index batch, Index head, Index first, bool loaded, RowsAhead& ahead) {
  const AttentionSize& size = in.size;
  const Index count = std::min(kQueryBlock, size.queries - first);
  ahead.add(in.query(batch, head, first), in.q.row_stride, count, size.head_dim);
  constexpr Index small = (256 << 10) / sizeof(T);
  if (loaded || size.keys * (size.head_dim + size.value_dim) > small) return;
  ahead.add(in.key(batch, head, 0), in.k.row_stride, size.keys, size.head_dim);
  ahead.add(in.value(batch, head, 0), in.v.row_stride, size.keys, size.value_dim);
}

/// Calls body(block) for blocks [begin, end) of all (batch, head, queries). Blocks late in a causal sequence cost more than
/// early ones: taking them from both ends in turn gives equal ranges equal work.
template <class T, class Body>
void for_each_query_block(const AttentionInput<T>& in, Index begin, Index end, Body&& body) {
  const Index blocks = (in.size.queries + kQueryBlock - 1) / kQueryBlock;
  const auto head_of = [&](Index at) { return at / blocks; };  // counted through all sequences
  const auto first_of = [&](Index at) {
    const Index turn = at % blocks;
    return (turn % 2 == 0 ? turn / 2 : blocks - 1 - turn / 2) * kQueryBlock;
  };
  Index loaded = -1;
  KeyValueHead<T> kv;
  RowsAhead ahead;
  for (Index at = begin; at < end; ++at) {
    const Index head = head_of(at);
    if (head / in.size.group() != loaded) kv = load_head(in, head / in.size.heads, head % in.size.heads);
    loaded = head / in.size.group();
    QueryBlock<T> block = plan_block(in, kv, head / in.size.heads, head % in.size.heads, first_of(at));
    ahead.clear();
    if (at + 1 < end) {
      const Index next = head_of(at + 1);
      fetch_block(in, next / in.size.heads, next % in.size.heads, first_of(at + 1), next / in.size.group() == loaded,
                  ahead);
    }
    block.ahead = &ahead;
    body(block);
  }
}

template <class T>
Index count_query_blocks(const AttentionInput<T>& in) {
  return in.size.batch * in.size.heads * ((in.size.queries + kQueryBlock - 1) / kQueryBlock);
}

/// Blocks that are worth a thread of their own.
template <class T>
Index query_block_grain(const AttentionInput<T>& in) {
  const Index cost = kQueryBlock * in.size.keys * (in.size.head_dim + in.size.value_dim);
  return std::max<Index>(1, 100'000 / std::max<Index>(1, cost));
}

}  // namespace weft::kernels::detail
