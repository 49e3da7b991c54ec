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

  /// The heads [first_head, last_head) of a panel. Adds to `sums(head)` and `epsilon(head)`.
  template <class SumsOf, class EpsilonOf>
  void run(Index panel, Index first_head, Index last_head, SumsOf&& sums, EpsilonOf&& epsilon) const {
    struct Tag {};
    const Index rows = in_.rows_of(panel);
    const Index block_size = kGINPanelRows * columns_;
    T* const memory = thread_scratch<Tag, T>((last_head - first_head) * 2 * block_size);
    const auto dy_block = [&](Index head) { return memory + (head - first_head) * 2 * block_size; };  // [row, columns]
    const auto z_block = [&](Index head) { return dy_block(head) + block_size; };  // [row, columns]: z, then dz
    for (Index row = 0; row < rows; ++row) {
      const Index at = panel * kGINPanelRows + row;
      for (Index head = first_head; head < last_head; ++head) {
        copy_row(dy_ + in_.offset(head, at), dy_block(head) + row * columns_);
        if (targets_[head].mlp0_weight) in_.combine_row(head, at, z_block(head) + row * columns_);
      }
    }
    for (Index head = first_head; head < last_head; ++head)
      run_head(panel, rows, head, dy_block(head), z_block(head), sums(head));
    for (Index row = 0; row < rows; ++row) {
      const Index at = panel * kGINPanelRows + row;
      for (Index head = first_head; head < last_head; ++head) {
        if (wants_dz(head)) epsilon(head) += through_combination(head, at, z_block(head) + row * columns_);
      }
    }
  }

 private:
  bool wants_dz(Index head) const { return dx_ || daggregated_ || targets_[head].epsilon; }

  void copy_row(const T* from, T* to) const {
    for_each_vector<T>(in_.size.dim, [&](Index i, auto access) { access.load(from + i).store_unaligned(to + i); });
  }

  /// From dY to dz and the sums over rows.
  void run_head(Index panel, Index rows, Index head, const T* dy, T* z, const GINSums<T>& sums) const {
    struct Tag {};
    const GINSize& size = in_.size;
    const GINHead<T>& own = in_.heads[head];
    const GINHeadTargets<T>& targets = targets_[head];
    T* dy_transposed = thread_scratch<Tag, T>(size.dim * kGINPanelRows + 3 * in_.panel_size() + kGINPanelRows);
    T* du = dy_transposed + size.dim * kGINPanelRows;
    T* s = du + in_.panel_size();
    T* factors = s + in_.panel_size();

    for (Index row = 0; row < rows; ++row) gin_add(columns_, dy + row * columns_, sums.mlp4_bias);
    // ds = dY W₄, then du from ds, with s again on the way
    transpose_panel(rows, kGINPanelRows, size.dim, dy, columns_, dy_transposed);
    multiply_panel(size.hidden, kGINPanelRows,
                   tile_input(own.mlp4_weight.data, Index{1}, size.hidden, dy_transposed, kGINPanelRows, size.dim),
                   TileOutput<T>{du, kGINPanelRows, {}});
    const bool drops = in_.rules.drops();
    if (drops) gin_dropout_factors(size, in_.rules.dropout, head, panel * kGINPanelRows, factors);
    gin_activate_backward(size.hidden, rows, own.norm_weight.data, in_.rules.rms_norm_eps, drops ? factors : nullptr,
                          saved_ + in_.saved_offset(head, panel), s, du, sums.lanes);
    if (targets.mlp4_weight) add_product(s, dy, rows, sums.mlp4_weight);
    if (targets.mlp0_weight) add_product(du, z, rows, sums.mlp0_weight);
    if (wants_dz(head)) {
      const T* weight = packed_ + head * size.hidden * columns_;
      multiply_panel(rows, columns_, tile_input(du, Index{1}, kGINPanelRows, weight, columns_, size.hidden),
                     TileOutput<T>{z, columns_, {}});
    }
  }

  /// sums[j] += Σ over rows of left[j, row] right[row]
  void add_product(const T* left, const T* right, Index rows, T* sums) const {
    multiply_panel(in_.size.hidden, columns_, tile_input(left, kGINPanelRows, Index{1}, right, columns_, rows),
                   TileOutput<T>{sums, columns_, {nullptr, true, T{1}}});
  }

  /// dx = epsilon dz,  daggregated = dz; returns Σ dz x, for epsilon. x's gradient is written first: it may be
  /// aggregated's too. Of the heads that read one slice of x only the first overwrites a fresh gradient.
  double through_combination(Index head, Index row, const T* dz) const {
    const Index x_place = in_.x_offset(head, row);
    const Index place = in_.offset(head, row);
    GradientTarget<T> dx = dx_;
    dx.accumulate = dx.accumulate || head % in_.size.group() != 0;
    const Vector<T> self(in_.self_weight(head));
    Vector<T> products(T{0});
    for_each_vector<T>(in_.size.dim, [&](Index i, auto access) {
      const Vector<T> value = Vector<T>::load_unaligned(dz + i);
      products = multiply_add(value, access.load(in_.x + x_place + i), products);
      if (dx) store_gradient(dx, x_place + i, Vector<T>(self * value), access);
      if (daggregated_) store_gradient(daggregated_, place + i, value, access);
    });
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
