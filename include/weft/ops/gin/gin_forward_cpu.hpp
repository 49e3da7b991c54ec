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

  /// A vector of z = epsilon x + aggregated.
  template <class Access>
  Vector<T> combined(Index head, Index row, Index column, const Vector<T>& self, Access access) const {
    return multiply_add(self, access.load(x + x_offset(head, row) + column),
                        access.load(aggregated + offset(head, row) + column));
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

  void run(Index panel, Index head) const {
    struct Tag {};
    const GINSize& size = in_.size;
    const GINHead<T>& own = in_.heads[head];
    const Index first = panel * kGINPanelRows;
    const Index rows = std::min(kGINPanelRows, size.rows - first);
    const bool drops = in_.rules.drops();
    T* z = thread_scratch<Tag, T>((size.dim + columns_) * kGINPanelRows + 3 * in_.panel_size() + kGINPanelRows);
    T* y = z + size.dim * kGINPanelRows;
    T* s = y + columns_ * kGINPanelRows;
    T* u = saved_ != nullptr ? saved_ + in_.saved_offset(head, panel) : s + in_.panel_size();
    T* factors = s + 2 * in_.panel_size();

    const Vector<T> self(in_.self_weight(head));
    transpose_panel(size.dim, z, [&](Index row, Index column, auto access) {
      return row < rows ? in_.combined(head, first + row, column, self, access) : Vector<T>(T{0});
    });
    multiply_panel(size.hidden, kGINPanelRows,
                   panel_product(own.mlp0_weight.data, size.dim, Index{1}, z, kGINPanelRows, size.dim),
                   TileOutput<T>{u, kGINPanelRows, {}});
    if (drops) gin_dropout_factors(size, in_.rules.dropout, head, first, factors);
    gin_activate(size.hidden, own.mlp0_bias.data, own.norm_weight.data, in_.rules.rms_norm_eps, drops ? factors : nullptr,
                 u, s);
    const T* weight = packed_ + head * packed_size();
    multiply_panel(rows, columns_, panel_product(s, Index{1}, kGINPanelRows, weight, columns_, size.hidden),
                   TileOutput<T>{y, columns_, {weight + size.hidden * columns_, false, T{1}}});
    for (Index row = 0; row < rows; ++row) write(in_.offset(head, first + row), y + row * columns_);
  }

 private:
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
