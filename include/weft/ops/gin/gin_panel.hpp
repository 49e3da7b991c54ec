// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pieces of `gin_update` on panels of rows. Inside a panel hidden values lie feature by feature, with the rows side by
/// side in the lanes of vectors: norms need no sums across lanes, no width leaves an idle lane, and a panel stays in the
/// first cache level from one matrix product to the next.
#pragma once

#include <algorithm>

#include "weft/ops/dropout/philox_vectors.hpp"
#include "weft/ops/elementwise/vector_math.hpp"
#include "weft/ops/gin/gin_size.hpp"
#include "weft/ops/matmul/micro_kernel.hpp"
#include "weft/ops/vector_loop.hpp"

namespace weft::kernels {

/// Vectors side by side in a panel.
template <class T>
inline constexpr Index kGINPanelVectors = kGINPanelRows / kLanes<T>;

/// Whole vectors that hold `columns` elements, as a number of elements.
template <class T>
constexpr Index whole_vectors(Index columns) {
  return (columns + kLanes<T> - 1) / kLanes<T> * kLanes<T>;
}

/// C[rows, columns] = X[rows, depth] Y[depth, columns] by tiles; Y and C have room for whole vectors.
template <class T>
void multiply_panel(Index rows, Index columns, const TileInput<T>& in, const TileOutput<T>& out) {
  const Index tiles = (rows + kTileRows - 1) / kTileRows;
  const Index height = (rows + tiles - 1) / tiles;
  for (Index column = 0; column < columns; column += kTileColumns<T>) {
    const Index vectors = std::min(kTileColumns<T>, whole_vectors<T>(columns - column)) / kLanes<T>;
    for (Index row = 0; row < rows; row += height) {
      const Index count = std::min(height, rows - row);
      TileInput<T> part = in;
      part.x += row * in.x_row;
      part.y += column;
      TileOutput<T> tile = out;
      tile.c += row * out.c_row + column;
      if (tile.epilogue.bias != nullptr) tile.epilogue.bias += column;
      tile_function<T>(count, vectors)(part, tile);
    }
  }
}

/// out[column * kGINPanelRows + row] = rows[row * row_stride + column] for the first `count` rows, zeros for those up to
/// `padded_count`, a number of whole vectors. Rows have room for whole vectors.
template <class T>
inline void transpose_panel(Index count, Index padded_count, Index columns, const T* rows, Index row_stride, T* out) {
  constexpr Index lanes = kLanes<T>;
  for (Index row = 0; row < padded_count; row += lanes) {
    for (Index column = 0; column < columns; column += lanes) {
      SquareBlock<T> block;
#pragma GCC unroll 16
      for (Index i = 0; i < lanes; ++i) {
        const T* from = rows + (row + i) * row_stride + column;
        block[i] = row + i < count ? Vector<T>::load_unaligned(from).data : Vector<T>(T{0}).data;
      }
      transpose<T>(block);
      T* to = out + column * kGINPanelRows + row;
      if (columns - column >= lanes) {
#pragma GCC unroll 16
        for (Index i = 0; i < lanes; ++i) Vector<T>(block[i]).store_unaligned(to + i * kGINPanelRows);
      } else {
        for (Index i = 0; i < columns - column; ++i) Vector<T>(block[i]).store_unaligned(to + i * kGINPanelRows);
      }
    }
  }
}

/// The factors of dropout for the hidden values of a panel, [hidden (even), kGINPanelRows].
template <class T>
void gin_dropout_factors(const GINSize& size, const DropoutMask& mask, Index head, Index first_row, T* factors) {
  static_assert(2 * kGINPanelRows == kPhiloxWords);
  const T scale = static_cast<T>(mask.scale);
  std::uint32_t words[kPhiloxWords];
  for (Index column = 0; column < size.hidden; column += 2) {
    philox_words(mask.rng, GINRules::dropout_position(size, head, first_row, column), words);
    for (Index i = 0; i < kPhiloxWords; ++i) {
      factors[column * kGINPanelRows + i] = words[i] >> 8 >= mask.threshold ? scale : T{0};
    }
  }
}

/// A vector for each group of lanes of a panel.
template <class T>
struct GINPanelVector {
  Vector<T> part[kGINPanelVectors<T>];
};

/// 1 / sqrt(mean(u²) + eps) of every row.
template <class T>
inline GINPanelVector<T> gin_inverse_rms(Index hidden, double eps, const GINPanelVector<T>& squares) {
  GINPanelVector<T> inverse;
#pragma GCC unroll 8
  for (Index g = 0; g < kGINPanelVectors<T>; ++g) {
    const Vector<T> mean = squares.part[g] / Vector<T>(static_cast<T>(hidden));
    inverse.part[g] = Vector<T>(T{1}) / xsimd::sqrt(Vector<T>(mean + Vector<T>(static_cast<T>(eps))));
  }
  return inverse;
}

/// u = (u + bias) factors, s = silu(RMSNorm(u; weight)); `factors` may be null.
template <class T>
inline void gin_activate(Index hidden, const T* bias, const T* weight, double eps, const T* factors, T* u, T* s) {
  constexpr Index groups = kGINPanelVectors<T>;
  GINPanelVector<T> squares;
  for (auto& part : squares.part) part = Vector<T>(T{0});
  for (Index j = 0; j < hidden; ++j) {
    T* row = u + j * kGINPanelRows;
#pragma GCC unroll 8
    for (Index g = 0; g < groups; ++g) {
      Vector<T> value = Vector<T>::load_unaligned(row + g * kLanes<T>) + Vector<T>(bias[j]);
      if (factors != nullptr) value *= Vector<T>::load_unaligned(factors + j * kGINPanelRows + g * kLanes<T>);
      value.store_unaligned(row + g * kLanes<T>);
      squares.part[g] = multiply_add(value, value, squares.part[g]);
    }
  }
  const GINPanelVector<T> inverse = gin_inverse_rms(hidden, eps, squares);
  for (Index j = 0; j < hidden; ++j) {
    const Index row = j * kGINPanelRows;
#pragma GCC unroll 8
    for (Index g = 0; g < groups; ++g) {
      const Vector<T> value = Vector<T>::load_unaligned(u + row + g * kLanes<T>);
      const Vector<T> r = value * inverse.part[g] * Vector<T>(weight[j]);
      Vector<T>(r * sigmoid<T>(r)).store_unaligned(s + row + g * kLanes<T>);
    }
  }
}

/// sums += values
template <class T>
inline void gin_add(Index count, const T* values, T* sums) {
  for_each_vector<T>(count, [&](Index i, auto access) {
    access.store(sums + i, Vector<T>(access.load(sums + i) + access.load(values + i)));
  });
}

/// Sums over the rows of a panel, kept apart by lanes: [hidden, lanes] each.
template <class T>
struct GINLaneSums {
  T* norm_weight;
  T* bias;
};

/// From ds to du in place, with s again on the way. Rows from `rows` on are beyond the end and contribute nothing.
template <class T>
inline void gin_activate_backward(Index hidden, Index rows, const T* weight, double eps, const T* factors, const T* u,
                                  T* s, T* ds, const GINLaneSums<T>& sums) {
  constexpr Index groups = kGINPanelVectors<T>;
  constexpr Index lanes = kLanes<T>;
  const Vector<T> zero(T{0});
  const Vector<T> one(T{1});
  GINPanelVector<T> squares;
  GINPanelVector<T> projection;
  for (Index g = 0; g < groups; ++g) squares.part[g] = projection.part[g] = zero;
  for (Index j = 0; j < hidden; ++j) {
#pragma GCC unroll 8
    for (Index g = 0; g < groups; ++g) {
      const Vector<T> value = Vector<T>::load_unaligned(u + j * kGINPanelRows + g * lanes);
      squares.part[g] = multiply_add(value, value, squares.part[g]);
    }
  }
  GINPanelVector<T> inverse = gin_inverse_rms(hidden, eps, squares);
  for (Index g = 0; g < groups; ++g) {
    const auto inside = lane_numbers<T>() < Vector<T>(static_cast<T>(rows - g * lanes));
    inverse.part[g] = xsimd::select(inside, inverse.part[g], zero);
  }
  for (Index j = 0; j < hidden; ++j) {
    const Vector<T> w(weight[j]);
    Vector<T> weight_sum = Vector<T>::load_unaligned(sums.norm_weight + j * lanes);
#pragma GCC unroll 8
    for (Index g = 0; g < groups; ++g) {
      const Index at = j * kGINPanelRows + g * lanes;
      const Vector<T> normalised = Vector<T>::load_unaligned(u + at) * inverse.part[g];
      const Vector<T> r = normalised * w;
      const Vector<T> gate = sigmoid<T>(r);
      const Vector<T> silu = r * gate;
      const Vector<T> dr = Vector<T>::load_unaligned(ds + at) * multiply_add(silu, Vector<T>(one - gate), gate);
      const Vector<T> dnormalised = dr * w;
      silu.store_unaligned(s + at);
      dnormalised.store_unaligned(ds + at);
      weight_sum = multiply_add(dr, normalised, weight_sum);
      projection.part[g] = multiply_add(dnormalised, normalised, projection.part[g]);
    }
    weight_sum.store_unaligned(sums.norm_weight + j * lanes);
  }
  for (Index g = 0; g < groups; ++g) projection.part[g] *= inverse.part[g] / Vector<T>(static_cast<T>(hidden));
  for (Index j = 0; j < hidden; ++j) {
    Vector<T> bias_sum = Vector<T>::load_unaligned(sums.bias + j * lanes);
#pragma GCC unroll 8
    for (Index g = 0; g < groups; ++g) {
      const Index at = j * kGINPanelRows + g * lanes;
      const Vector<T> along = projection.part[g] * Vector<T>::load_unaligned(u + at);
      Vector<T> du = inverse.part[g] * (Vector<T>::load_unaligned(ds + at) - along);
      if (factors != nullptr) du *= Vector<T>::load_unaligned(factors + at);
      du.store_unaligned(ds + at);
      bias_sum += du;
    }
    bias_sum.store_unaligned(sums.bias + j * lanes);
  }
}

}  // namespace weft::kernels
