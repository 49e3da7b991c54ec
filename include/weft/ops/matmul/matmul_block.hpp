// SPDX-License-Identifier: Apache-2.0
/// \file
/// One thread's share of a matrix product: cut into blocks that stay in the caches, packed where that pays, and handed to the
/// micro-kernel tile by tile.
#pragma once

#include <algorithm>
#include <type_traits>

#include "weft/ops/matmul/matmul_pack.hpp"
#include "weft/ops/matmul/matmul_store.hpp"
#include "weft/ops/matmul/micro_kernel.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft::kernels {

/// A product in the order the micro-kernel sees it: x(r, p) broadcast over rows r, y(p, v) loaded along columns v,
/// result(r, v) at c[r * c_row + v], or at c[v * c_row + r] when transposed. The bias runs over C's columns.
template <class T, class X, class Y>
struct BlockProduct {
  Strided<X> x;
  Strided<Y> y;
  Index rows;
  Index columns;
  Index depth;
  T* c;
  Index c_row;
  bool transposed;
  MatmulEpilogue<T> epilogue;
};

namespace detail {

#ifndef KC
#define KC 1024
#endif
#ifndef MCT
#define MCT 18
#endif
#ifndef PXC
#define PXC 100000
#endif
#ifndef PXA
#define PXA 256
#endif
#ifndef PXT
#define PXT 100000
#endif
#ifndef PYR
#define PYR 100000
#endif
#ifndef ROC
#define ROC 128
#endif
/// Depth of a block: long enough that reading and writing C between blocks costs little, short enough that a panel of y
/// and a tile's rows of x stay in the second cache level. It must not depend on the thread count: it orders the sums.
inline constexpr Index kBlockDepth = KC;
/// Rows of a block: x's packed block stays in the last cache level.
inline constexpr Index kBlockRows = MCT * kTileRows;
/// Up to how many columns y's block is kept and x's tiles pass by; beyond, x's block is kept and y's panels pass by.
inline constexpr Index kKeptColumns = ROC;
/// From how many columns on (of one thread) packing x pays, and from how many rows on packing y.

/// Rows of the next tile: full tiles, with the last two evened out when the rest would be thin.
inline Index next_tile_rows(Index remaining, Index limit) {
  if (remaining <= limit) return remaining;
  return remaining < limit + limit / 2 ? (remaining + 1) / 2 : limit;
}

template <class T, class X, class Y>
class BlockRunner {
 public:
  explicit BlockRunner(const BlockProduct<T, X, Y>& product) : product_(product) {
    // Rows a multiple of 4 KiB apart share the sets of the first cache level: packed, or fewer of them at a time.
    const bool aliased = product.x.step != 1 && product.x.step * sizeof(X) % 4096 == 0;
    pack_x_ = !std::is_same_v<X, T> || product.columns >= (product.x.step == 1 ? PXT : aliased ? PXA : PXC);
    pack_y_ = !std::is_same_v<Y, T> || product.y.step != 1 || product.rows >= PYR;
    tile_rows_ = aliased && !pack_x_ ? std::min<Index>(6, kTileRows) : kTileRows;
  }

  void run() {
    const Index blocks = std::max<Index>(1, (product_.depth + kBlockDepth - 1) / kBlockDepth);
    for (Index row = 0; row < product_.rows; row += kBlockRows) {
      for (Index block = 0; block < blocks; ++block) {
        row_ = row;
        rows_ = std::min(kBlockRows, product_.rows - row);
        begin_ = product_.depth * block / blocks;
        depth_ = product_.depth * (block + 1) / blocks - begin_;
        epilogue_ = product_.epilogue;
        if (block > 0) {
          epilogue_.bias = nullptr;
          epilogue_.accumulate = true;
        }
        if (product_.columns <= kKeptColumns) {
          keep_columns();
        } else {
          keep_rows();
        }
      }
    }
  }

 private:
  void keep_rows() {
    if (pack_x_) {
      x_packed_ = thread_scratch<PackedRows, T>(rows_ * depth_ + kLanes<T>);
      for (Index r = 0; r < rows_;) {
        const Index count = next_tile_rows(rows_ - r, tile_rows_);
        pack(product_.x.at(row_ + r, begin_), count, depth_, x_packed_ + r * depth_, count);
        r += count;
      }
    }
    y_packed_ = thread_scratch<PackedColumns, T>(depth_ * kTileColumns<T>);
    TileInput<T> in{};
    in.depth = depth_;
    for (Index column = 0; column < product_.columns; column += kTileColumns<T>) {
      const Index width = std::min(kTileColumns<T>, product_.columns - column);
      place_columns(in, column, width, y_packed_, true);
      look_ahead(in, column + kTileColumns<T>);
      for (Index r = 0; r < rows_;) {
        const Index count = next_tile_rows(rows_ - r, tile_rows_);
        place_rows(in, r, count, pack_x_ ? x_packed_ + r * depth_ : nullptr);
        run_tile(in, row_ + r, count, column, width);
        r += count;
#ifdef CAH
        in.ahead = product_.c + (row_ + r) * product_.c_row + column;
        in.ahead_depth = product_.c_row;
#else
        in.ahead = in.y;
        in.ahead_depth = 0;
#endif
      }
    }
  }

  void keep_columns() {
    const Index panels = (product_.columns + kTileColumns<T> - 1) / kTileColumns<T>;
    y_packed_ = thread_scratch<PackedColumns, T>(depth_ * panels * kTileColumns<T>);
    if (pack_x_) x_packed_ = thread_scratch<PackedRows, T>(tile_rows_ * depth_ + kLanes<T>);
    TileInput<T> in{};
    in.depth = depth_;
    for (Index r = 0; r < rows_;) {
      const Index count = next_tile_rows(rows_ - r, tile_rows_);
      if (pack_x_) pack(product_.x.at(row_ + r, begin_), count, depth_, x_packed_, count);
      place_rows(in, r, count, x_packed_);
      in.ahead = y_packed_;
      for (Index column = 0; column < product_.columns; column += kTileColumns<T>) {
        const Index width = std::min(kTileColumns<T>, product_.columns - column);
        place_columns(in, column, width, y_packed_ + column * depth_, r == 0);
        run_tile(in, row_ + r, count, column, width);
      }
      r += count;
    }
  }

  /// Points the input at the tile's columns, packing them first where they are packed.
  void place_columns(TileInput<T>& in, Index column, Index width, T* packed, bool fresh) {
    const Index lanes = (width + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    if (pack_y_ || width != lanes) {
      if (fresh) pack(product_.y.at(column, begin_), width, depth_, packed, lanes);
      in.y = packed;
      in.y_depth = lanes;
    } else if constexpr (std::is_same_v<Y, T>) {
      in.y = product_.y.at(column, begin_).data;
      in.y_depth = product_.y.depth;
    }
  }

  /// Lets the next tile prefetch the panel that follows, where panels are read from where they lie.
  void look_ahead(TileInput<T>& in, Index column) {
    in.ahead = in.y;
    in.ahead_depth = 0;
    if constexpr (std::is_same_v<Y, T>) {
      if (product_.y.step != 1 || column >= product_.columns) return;
      in.ahead = product_.y.at(column, begin_).data;
      in.ahead_depth = product_.y.depth;
    }
  }

  /// Points the input at the tile's rows.
  void place_rows(TileInput<T>& in, Index row, Index count, const T* packed) {
    if (pack_x_) {
      in.x = packed;
      in.x_row = 1;
      in.x_depth = count;
    } else if constexpr (std::is_same_v<X, T>) {
      in.x = product_.x.at(row_ + row, begin_).data;
      in.x_row = product_.x.step;
      in.x_depth = product_.x.depth;
    }
  }

  void run_tile(const TileInput<T>& in, Index row, Index count, Index column, Index width) {
    const Index vectors = (width + kLanes<T> - 1) / kLanes<T>;
    const auto multiply = tile_function<T>(count, vectors);
    TileOutput<T> out{product_.c, product_.c_row, epilogue_};
    out.c += product_.transposed ? column * product_.c_row + row : row * product_.c_row + column;
    if (epilogue_.bias != nullptr) out.epilogue.bias += product_.transposed ? row : column;
    if (width == vectors * kLanes<T> && !product_.transposed) {
      multiply(in, out);
      return;
    }
    alignas(64) T tile[kTileRows * kTileColumns<T>];
    const Index tile_row = vectors * kLanes<T>;
    multiply(in, TileOutput<T>{tile, tile_row, {}});
    if (product_.transposed) {
      store_tile_transposed(tile, tile_row, count, width, out);
    } else {
      store_tile(tile, tile_row, count, width, out);
    }
  }

  struct PackedRows {};
  struct PackedColumns {};

  const BlockProduct<T, X, Y>& product_;
  bool pack_x_;
  bool pack_y_;
  Index tile_rows_;
  Index row_ = 0;
  Index rows_ = 0;
  Index begin_ = 0;
  Index depth_ = 0;
  MatmulEpilogue<T> epilogue_;
  T* x_packed_ = nullptr;
  T* y_packed_ = nullptr;
};

}  // namespace detail

/// Runs a product on this thread.
template <class T, class X, class Y>
void multiply_block(const BlockProduct<T, X, Y>& product) {
  detail::BlockRunner<T, X, Y>(product).run();
}

}  // namespace weft::kernels
