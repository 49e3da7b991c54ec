// SPDX-License-Identifier: Apache-2.0
/// \file
/// The derivative of `gin_update` on panels of rows.
#pragma once

#include <algorithm>

#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/gin/gin_forward_cpu.hpp"

namespace weft::kernels {

/// Sums over rows for the parameters of one head, in whole vectors.
template <class T>
struct GINSums {
  T* mlp0_weight;  // [hidden, columns]
  T* mlp4_weight;  // [hidden, columns]: the transpose of the gradient
  T* mlp4_bias;    // [columns]
  GINLaneSums<T> lanes;

  static Index count(const GINSize& size) {
    const Index columns = whole_vectors<T>(size.dim);
    return 2 * size.hidden * columns + columns + 2 * size.hidden * kLanes<T>;
  }

  GINSums(const GINSize& size, T* memory) {
    const Index columns = whole_vectors<T>(size.dim);
    mlp0_weight = memory;
    mlp4_weight = mlp0_weight + size.hidden * columns;
    mlp4_bias = mlp4_weight + size.hidden * columns;
    lanes = {mlp4_bias + columns, mlp4_bias + columns + size.hidden * kLanes<T>};
  }

  /// Writes or adds the sums to the gradients.
  void finish(const GINSize& size, const GINHeadTargets<T>& targets) const {
    const Index columns = whole_vectors<T>(size.dim);
    for (Index j = 0; j < size.hidden; ++j) {
      put(targets.norm_weight, j, sum_lanes<T>(Vector<T>::load_unaligned(lanes.norm_weight + j * kLanes<T>)));
      put(targets.mlp0_bias, j, sum_lanes<T>(Vector<T>::load_unaligned(lanes.bias + j * kLanes<T>)));
      for (Index i = 0; i < size.dim; ++i) {
        put(targets.mlp0_weight, j * size.dim + i, mlp0_weight[j * columns + i]);
        put(targets.mlp4_weight, i * size.hidden + j, mlp4_weight[j * columns + i]);
      }
    }
    for (Index i = 0; i < size.dim; ++i) put(targets.mlp4_bias, i, mlp4_bias[i]);
  }

  static void put(const GradientTarget<T>& target, Index i, T value) {
    if (target) target.data[i] = target.accumulate ? target.data[i] + value : value;
  }
};

/// Runs panels backwards. The last product reads W₀ in rows of whole vectors; that is laid out once for all panels.
template <class T>
class GINBackwardPanels {
 public:
  GINBackwardPanels(const GINInput<T>& input, const T* u, const T* dy, const GradientTarget<T>& dx,
                    const GradientTarget<T>& daggregated, const GINHeadTargets<T>* targets)
      : in_(input),
        columns_(whole_vectors<T>(input.size.dim)),
        saved_(u),
        dy_(dy),
        dx_(dx),
        daggregated_(daggregated),
        targets_(targets) {
    struct Tag {};
    const GINSize& size = in_.size;
    T* packed = thread_scratch<Tag, T>(size.heads * size.hidden * columns_);
    packed_ = packed;
    for (Index head = 0; head < size.heads; ++head) {
      for (Index j = 0; j < size.hidden; ++j, packed += columns_) {
        const T* row = in_.heads[head].mlp0_weight.data + j * size.dim;
        std::fill(std::copy(row, row + size.dim, packed), packed + columns_, T{0});
      }
    }
  }

  /// Adds to the sums; returns what the panel adds to the gradient of epsilon.
  double run(Index panel, Index head, const GINSums<T>& sums) const {
    const GINSize& size = in_.size;
    const GINHead<T>& own = in_.heads[head];
    const GINHeadTargets<T>& targets = targets_[head];
    const Rows rows{head, panel * kGINPanelRows, std::min(kGINPanelRows, size.rows - panel * kGINPanelRows)};
    const Buffers to = buffers();
    load_dy(rows, to, sums);
    // ds = dY W₄, then du from ds, with s again on the way
    multiply_panel(size.hidden, kGINPanelRows,
                   panel_product(own.mlp4_weight.data, Index{1}, size.hidden, to.dy_transposed, kGINPanelRows, size.dim),
                   TileOutput<T>{to.du, kGINPanelRows, {}});
    const bool drops = in_.rules.drops();
    if (drops) gin_dropout_factors(size, in_.rules.dropout, head, rows.first, to.factors);
    gin_activate_backward(size.hidden, rows.count, own.norm_weight.data, in_.rules.rms_norm_eps,
                          drops ? to.factors : nullptr, saved_ + in_.saved_offset(head, panel), to.s, to.du, sums.lanes);
    if (targets.mlp4_weight) add_product(to.s, to.dy, rows.count, sums.mlp4_weight);
    if (targets.mlp0_weight) {
      combine(rows, to.z);
      add_product(to.du, to.z, rows.count, sums.mlp0_weight);
    }
    return dx_ || daggregated_ || targets.epsilon ? through_combination(rows, to) : 0;
  }

 private:
  struct Rows {
    Index head;
    Index first;
    Index count;
  };

  /// What a panel needs room for.
  struct Buffers {
    T* dy_transposed;  // [dim, kGINPanelRows]
    T* dy;             // [kGINPanelRows, columns]
    T* z;              // [kGINPanelRows, columns], then dz
    T* du;             // [hidden, kGINPanelRows], first ds
    T* s;              // [hidden, kGINPanelRows]
    T* factors;        // [hidden (even), kGINPanelRows]
  };

  Buffers buffers() const {
    struct Tag {};
    const Index dim = in_.size.dim;
    T* memory = thread_scratch<Tag, T>((dim + 2 * columns_) * kGINPanelRows + 3 * in_.panel_size() + kGINPanelRows);
    T* dy = memory + dim * kGINPanelRows;
    T* z = dy + columns_ * kGINPanelRows;
    T* du = z + columns_ * kGINPanelRows;
    return {memory, dy, z, du, du + in_.panel_size(), du + 2 * in_.panel_size()};
  }

  /// dY of the panel as it lies and transposed, zeros beyond the last row; db₄ = column sums.
  void load_dy(const Rows& rows, const Buffers& to, const GINSums<T>& sums) const {
    transpose_panel(in_.size.dim, to.dy_transposed, [&](Index row, Index column, auto access) {
      if (row >= rows.count) return Vector<T>(T{0});
      const Vector<T> value = access.load(dy_ + in_.offset(rows.head, rows.first + row) + column);
      value.store_unaligned(to.dy + row * columns_ + column);
      return value;
    });
    for (Index column = 0; column < columns_; column += kLanes<T>) {
      Vector<T> sum = Vector<T>::load_unaligned(sums.mlp4_bias + column);
      for (Index row = 0; row < rows.count; ++row) sum += Vector<T>::load_unaligned(to.dy + row * columns_ + column);
      sum.store_unaligned(sums.mlp4_bias + column);
    }
  }

  /// sums[j] += Σ over rows of left[j, row] right[row]
  void add_product(const T* left, const T* right, Index rows, T* sums) const {
    multiply_panel(in_.size.hidden, columns_, panel_product(left, kGINPanelRows, Index{1}, right, columns_, rows),
                   TileOutput<T>{sums, columns_, {nullptr, true, T{1}}});
  }

  /// z again
  void combine(const Rows& rows, T* z) const {
    const Vector<T> self(in_.self_weight(rows.head));
    for (Index row = 0; row < rows.count; ++row) {
      for_each_vector<T>(in_.size.dim, [&](Index i, auto access) {
        in_.combined(rows.head, rows.first + row, i, self, access).store_unaligned(z + row * columns_ + i);
      });
    }
  }

  /// dz = du W₀;  dx = epsilon dz,  daggregated = dz,  depsilon = Σ dz x. x's gradient is written first: it may be
  /// aggregated's too. Of the heads that read one slice of x only the first overwrites a fresh gradient.
  double through_combination(const Rows& rows, const Buffers& to) const {
    const T* weight = packed_ + rows.head * in_.size.hidden * columns_;
    multiply_panel(rows.count, columns_,
                   panel_product(to.du, Index{1}, kGINPanelRows, weight, columns_, in_.size.hidden),
                   TileOutput<T>{to.z, columns_, {}});
    GradientTarget<T> dx = dx_;
    dx.accumulate = dx.accumulate || rows.head % in_.size.group() != 0;
    const Vector<T> self(in_.self_weight(rows.head));
    Vector<T> products(T{0});
    for (Index row = 0; row < rows.count; ++row) {
      const Index x_place = in_.x_offset(rows.head, rows.first + row);
      const Index place = in_.offset(rows.head, rows.first + row);
      for_each_vector<T>(in_.size.dim, [&](Index i, auto access) {
        const Vector<T> dz = Vector<T>::load_unaligned(to.z + row * columns_ + i);
        products = multiply_add(dz, access.load(in_.x + x_place + i), products);
        if (dx) store_gradient(dx, x_place + i, Vector<T>(self * dz), access);
        if (daggregated_) store_gradient(daggregated_, place + i, dz, access);
      });
    }
    return static_cast<double>(sum_lanes<T>(products));
  }

  const GINInput<T>& in_;
  Index columns_;  // dim in whole vectors
  const T* saved_;
  const T* dy_;
  GradientTarget<T> dx_;
  GradientTarget<T> daggregated_;
  const GINHeadTargets<T>* targets_;
  const T* packed_;  // for each head W₀ [hidden, columns]
};

}  // namespace weft::kernels
