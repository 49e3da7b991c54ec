// SPDX-License-Identifier: Apache-2.0
/// \file
/// One thread's share of a matrix product: cut into blocks that stay in the caches and handed to the micro-kernel tile by
/// tile.
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

/// Depth of a block: long enough that reading and writing C between blocks costs little, short enough that a panel of y
/// stays in the second cache level. (Twice as long, products of depth 2048 take a fifth more time on a processor with two units for
/// AVX-512, and training the GIN recipe a tenth.) It must not depend on the thread count: it orders the sums.
inline constexpr Index kBlockDepth = 512;
/// Elements of y in a block of columns: half a megabyte, which the second cache level keeps while the rows pass by.
inline constexpr Index kBlockElements = 131072;
/// Up to so many rows of x stay in the second cache level instead, and the columns pass by, `kBlockColumns` at a time.
inline constexpr Index kFewBlockRows = 128;
inline constexpr Index kBlockColumns = 1024;
/// Rows of x from which on it pays to copy a panel of y that is not contiguous.
inline constexpr Index kRowsWorthACopy = 32;
/// Rows that pass by at a time, and that a transposed result gathers before it is written: a multiple of tile rows and of
/// vectors.
inline constexpr Index kBlockRows = 48;

template <class T, class X, class Y>
class BlockRunner {
 public:
  explicit BlockRunner(const BlockProduct<T, X, Y>& product)
      : product_(product),
        pack_x_(!std::is_same_v<X, T>),
        pack_y_(!std::is_same_v<Y, T> || product.y.step != 1),
        aliased_(product.x.step != 1 && product.x.step * sizeof(X) % 4096 == 0) {}

  void run() {
    const Index blocks = std::max<Index>(1, (product_.depth + kBlockDepth - 1) / kBlockDepth);
    const Index columns = columns_at_a_time((product_.depth + blocks - 1) / blocks);
    for (Index column = 0; column < product_.columns; column += columns) {
      first_column_ = column;
      last_column_ = std::min(column + columns, product_.columns);
      for (Index block = 0; block < blocks; ++block) {
        begin_ = product_.depth * block / blocks;
        depth_ = product_.depth * (block + 1) / blocks - begin_;
        epilogue_ = product_.epilogue;
        if (block > 0) {
          epilogue_.bias = nullptr;
          epilogue_.accumulate = true;
        }
        run_depth();
      }
    }
  }

 private:
  bool few_rows() const { return product_.rows <= kFewBlockRows; }

  Index columns_at_a_time(Index depth) const {
    if (few_rows() || product_.transposed) return kBlockColumns;
    return std::max<Index>(1, kBlockElements / std::max<Index>(1, depth) / kTileColumns<T>) * kTileColumns<T>;
  }

  void run_depth() {
    const Index columns = (last_column_ - first_column_ + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
    y_packed_ = thread_scratch<PackedColumns, T>(depth_ * columns);
    const Index step = product_.transposed || !few_rows() ? kBlockRows : product_.rows;
    if (product_.transposed) sums_ = thread_scratch<Sums, T>(kBlockRows * kTileColumns<T>);
    for (Index row = 0; row < product_.rows; row += step) {
      row_ = row;
      rows_ = std::min(step, product_.rows - row);
      if (pack_x_) {
        x_packed_ = thread_scratch<PackedRows, T>(rows_ * depth_ + kLanes<T>);
        pack(product_.x.at(row, begin_), rows_, depth_, x_packed_, rows_);
      }
      for (Index column = first_column_; column < last_column_;) {
        const Index width = next_panel_columns<T>(last_column_ - column);
        run_panel(column, width);
        if (product_.transposed) {
          store_sums_transposed(
              sums_, kTileColumns<T>, rows_, width,
              TileOutput<T>{product_.c + column * product_.c_row + row_, product_.c_row, shifted(epilogue_, row_)});
        }
        column += width;
      }
    }
  }

  static MatmulEpilogue<T> shifted(MatmulEpilogue<T> epilogue, Index by) {
    if (epilogue.bias != nullptr) epilogue.bias += by;
    return epilogue;
  }

  void run_panel(Index column, Index width) {
    const Index vectors = (width + kLanes<T> - 1) / kLanes<T>;
    TileInput<T> in{};
    in.depth = depth_;
    place_columns(in, column, width, vectors * kLanes<T>);
    Index r = 0;
    if (in.y_depth != vectors * kLanes<T> && rows_ > kRowsWorthACopy) {
      place_rows(in, 0);
      in.ahead = look_ahead(column, width, 0, kTileRows);
      in.copy =
          packed_place(rows_ < product_.rows ? column : first_column_);  // what is not read again may be overwritten
      run_tile(copying_tile_function<T>(vectors), in, 0, kTileRows, column, width, vectors);
      in.y = in.copy;
      in.y_depth = vectors * kLanes<T>;
      r = kTileRows;
    }
    while (r < rows_) {
      const Index count = next_tile_rows(rows_ - r, vectors, aliased_);
      place_rows(in, r);
      in.ahead = look_ahead(column, width, r, count);
      run_tile(tile_function<T>(count, vectors), in, r, count, column, width, vectors);
      r += count;
    }
  }

  T* packed_place(Index column) const { return y_packed_ + (column - first_column_) * depth_; }

  /// Points the input at the panel's columns: packed where they do not lie along vectors or end inside one; copied, for all but
  /// the first rows, where there is something between them.
  void place_columns(TileInput<T>& in, Index column, Index width, Index padded) {
    const bool copied = row_ > 0 && product_.y.depth != padded;
    if (pack_y_ || width != padded || copied) {
      T* packed = packed_place(column);
      if (row_ == 0) pack(product_.y.at(column, begin_), width, depth_, packed, padded);
      in.y = packed;
      in.y_depth = padded;
    } else if constexpr (std::is_same_v<Y, T>) {
      in.y = product_.y.at(column, begin_).data;
      in.y_depth = product_.y.depth;
    }
  }

  void place_rows(TileInput<T>& in, Index r) {
    if (pack_x_) {
      in.x = x_packed_ + r;
      in.x_row = 1;
      in.x_depth = rows_;
    } else if constexpr (std::is_same_v<X, T>) {
      in.x = product_.x.at(row_ + r, begin_).data;
      in.x_row = product_.x.step;
      in.x_depth = product_.x.depth;
    }
  }

  /// What a tile fetches: the first two tiles of a panel the next panel, the other tiles of the first panel the rows after
  /// theirs, and where results are gathered the first two tiles of a panel their place. Inlined, as a call of its own for every
  /// tile takes a twentieth of a small product.
  [[gnu::always_inline]] Lookahead look_ahead(Index column, Index width, Index r, Index count) const {
    const Index half = r == 0 ? 0 : 1;
    const Index next = column + width;
    if (row_ == 0 && next < last_column_ && r < 2 * count) return lines(product_.y, next, half);
    const Index next_row = row_ + r + count;
    if (column == first_column_ && next_row < product_.rows) {
      Lookahead rows = lines(product_.x, next_row, 0);
      if (product_.x.depth == 1) rows.times = rows.run * count;
      // Weights that pass by come from memory as a rule: asked for at an even pace it has always something to do.
      if (product_.transposed) rows.every = std::max<Index>(1, depth_ / std::max<Index>(1, rows.times));
      return rows;
    }
    if (product_.transposed && r < 2 * count) {
      const T* c = product_.c + column * product_.c_row + row_ + (r == 0 ? 0 : 128 / sizeof(T));
      return {reinterpret_cast<const char*>(c), product_.c_row * static_cast<Index>(sizeof(T)), width + 1, 0, width};
    }
    return {};
  }

  template <class Stored>
  [[gnu::always_inline]] Lookahead lines(const Strided<Stored>& operand, Index i, Index half) const {
    constexpr Index size = sizeof(Stored);
    const char* at = reinterpret_cast<const char*>(operand.at(i, begin_).data);
    if (operand.step == 1) return {at + 128 * half, operand.depth * size, depth_ + 1, 0, depth_};
    const Index run = (depth_ * size + 127) / 128;
    return {at + half * kTileColumns<T> / 2 * operand.step * size, 128, run, operand.step * size - run * 128, depth_};
  }

  void run_tile(TileFunction<T> multiply, const TileInput<T>& in, Index r, Index count, Index column, Index width,
                Index vectors) {
    if (product_.transposed) {
      multiply(in, TileOutput<T>{sums_ + r * kTileColumns<T>, kTileColumns<T>, {}});
      return;
    }
    const TileOutput<T> out{product_.c + (row_ + r) * product_.c_row + column, product_.c_row,
                            shifted(epilogue_, column), true};
    if (width == vectors * kLanes<T>) {
      multiply(in, out);
      return;
    }
    alignas(64) T tile[kTallRows * kTileColumns<T>];
    multiply(in, TileOutput<T>{tile, vectors * kLanes<T>, {}});
    store_sums(tile, vectors * kLanes<T>, count, width, out);
  }

  struct PackedRows {};
  struct PackedColumns {};
  struct Sums {};

  const BlockProduct<T, X, Y>& product_;
  bool pack_x_;
  bool pack_y_;
  bool aliased_;
  Index first_column_ = 0;
  Index last_column_ = 0;
  Index row_ = 0;
  Index rows_ = 0;
  Index begin_ = 0;
  Index depth_ = 0;
  MatmulEpilogue<T> epilogue_;
  T* x_packed_ = nullptr;
  T* y_packed_ = nullptr;
  T* sums_ = nullptr;
};

}  // namespace detail

/// Runs a product on this thread.
template <class T, class X, class Y>
void multiply_block(const BlockProduct<T, X, Y>& product) {
  detail::BlockRunner<T, X, Y>(product).run();
}

}  // namespace weft::kernels
