// SPDX-License-Identifier: Apache-2.0
/// \file
/// `gin_update` on panels of rows: a chain of two matrix products.
#pragma once

#include <algorithm>

#include "weft/ops/gin/gin_panel.hpp"
#include "weft/ops/matmul/matmul_pack.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft::kernels {

/// The arguments of an update, as both directions need them.
template <class T>
struct GINInput {
  GINSize size;
  GINRules rules;
  const T* x;
  const T* aggregated;
  const GINHead<T>* heads;

  /// epsilon, or 1 + epsilon
  T self_weight(Index head) const {
    return static_cast<T>(rules.self_weight(static_cast<double>(heads[head].epsilon.data[0])));
  }
  Index x_offset(Index head, Index row) const { return row * size.input_width() + head / size.group() * size.dim; }
  Index offset(Index head, Index row) const { return row * size.width() + head * size.dim; }
  Index panel_size() const { return size.hidden * kGINPanelRows; }
  Index saved_offset(Index head, Index panel) const { return (panel * size.heads + head) * panel_size(); }

  Index rows_of(Index panel) const { return std::min(kGINPanelRows, size.rows - panel * kGINPanelRows); }

  /// z = epsilon x + aggregated, with room for whole vectors.
  void combine_row(Index head, Index row, T* z) const {
    const Vector<T> self(self_weight(head));
    const T* own_x = x + x_offset(head, row);
    const T* own_aggregated = aggregated + offset(head, row);
    for_each_vector<T>(size.dim, [&](Index i, auto access) {
      multiply_add(self, access.load(own_x + i), access.load(own_aggregated + i)).store_unaligned(z + i);
    });
  }
};

/// Runs panels. The second product reads W₄ transposed; that is laid out once for all panels.
template <class T>
class GINForward {
 public:
  /// \param u  where to keep the hidden values, or null
  GINForward(const GINInput<T>& input, const T* residual, T* u, T* y)
      : in_(input), columns_(whole_vectors<T>(input.size.dim)), residual_(residual), saved_(u), y_(y) {
    struct Tag {};
    const GINSize& size = in_.size;
    T* packed = thread_scratch<Tag, T>(size.heads * packed_size() + kLanes<T>);
    packed_ = packed;
    for (Index head = 0; head < size.heads; ++head, packed += packed_size()) {
      const GINHead<T>& own = in_.heads[head];
      pack(Strided<T>{own.mlp4_weight.data, size.hidden, 1}, size.dim, size.hidden, packed, columns_);
      T* bias = packed + size.hidden * columns_;
      std::fill(std::copy(own.mlp4_bias.data, own.mlp4_bias.data + size.dim, bias), bias + columns_, T{0});
    }
  }

  /// The heads [first_head, last_head) of a panel.
  void run(Index panel, Index first_head, Index last_head) const {
    struct Tag {};
    const Index rows = in_.rows_of(panel);
    const Index block_size = kGINPanelRows * columns_;
    T* const blocks = thread_scratch<Tag, T>((last_head - first_head) * block_size);  // [head, row, columns]: z, then y
    for (Index row = 0; row < rows; ++row) {
      for (Index head = first_head; head < last_head; ++head) {
        in_.combine_row(head, panel * kGINPanelRows + row, blocks + (head - first_head) * block_size + row * columns_);
      }
    }
    for (Index head = first_head; head < last_head; ++head) {
      run_head(panel, rows, head, blocks + (head - first_head) * block_size);
    }
    for (Index row = 0; row < rows; ++row) {
      for (Index head = first_head; head < last_head; ++head) {
        write(in_.offset(head, panel * kGINPanelRows + row),
              blocks + (head - first_head) * block_size + row * columns_);
      }
    }
  }

 private:
  void run_head(Index panel, Index rows, Index head, T* block) const {
    struct Tag {};
    const GINSize& size = in_.size;
    const GINHead<T>& own = in_.heads[head];
    T* z = thread_scratch<Tag, T>(size.dim * kGINPanelRows + 3 * in_.panel_size() + kGINPanelRows);
    T* s = z + size.dim * kGINPanelRows;
    T* u = saved_ != nullptr ? saved_ + in_.saved_offset(head, panel) : s + in_.panel_size();
    T* factors = s + 2 * in_.panel_size();

    const Index lanes = saved_ != nullptr ? kGINPanelRows : whole_vectors<T>(rows);
    transpose_panel(rows, lanes, size.dim, block, columns_, z);
    multiply_panel(size.hidden, lanes, tile_input(own.mlp0_weight.data, size.dim, Index{1}, z, kGINPanelRows, size.dim),
                   TileOutput<T>{u, kGINPanelRows, {}});
    const bool drops = in_.rules.drops();
    if (drops) gin_dropout_factors(size, in_.rules.dropout, head, panel * kGINPanelRows, factors);
    gin_activate(size.hidden, own.mlp0_bias.data, own.norm_weight.data, in_.rules.rms_norm_eps,
                 drops ? factors : nullptr, u, s);
    const T* weight = packed_ + head * packed_size();
    multiply_panel(rows, columns_, tile_input(s, Index{1}, kGINPanelRows, weight, columns_, size.hidden),
                   TileOutput<T>{block, columns_, {weight + size.hidden * columns_, false, T{1}}});
  }

  Index packed_size() const { return (in_.size.hidden + 1) * columns_; }

  void write(Index place, const T* values) const {
    for_each_vector<T>(in_.size.dim, [&](Index i, auto access) {
      Vector<T> value = Vector<T>::load_unaligned(values + i);
      if (residual_ != nullptr) value += access.load(residual_ + place + i);
      access.store(y_ + place + i, value);
    });
  }

  const GINInput<T>& in_;
  Index columns_;  // dim in whole vectors
  const T* residual_;
  T* saved_;
  T* y_;
  const T* packed_;  // for each head W₄ᵀ [hidden, columns] and b₄ [columns]
};

}  // namespace weft::kernels
