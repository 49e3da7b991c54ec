// SPDX-License-Identifier: Apache-2.0
/// \file
/// A block of rows of one head: the only place where weights exist, a few rows at a time.
#pragma once

#include <algorithm>

#include "weft/ops/cross_attention/cross_attention_row.hpp"
#include "weft/ops/matmul/matmul_kernel.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft::kernels {

namespace detail {

/// Rows [first, first + count) of one head and the keys that any of them may look at.
struct RowBlock {
  Index batch;
  Index head;
  Index first;
  Index count;
  KeyRange keys;

  Index width() const { return keys.end - keys.begin; }
};

/// How many rows fit into a block: its weights stay in the second cache level, and rows that look at different keys
/// are not put together.
template <class T>
Index rows_per_block(const CrossAttentionInput<T>& in) {
  constexpr Index elements = 65536;
  const bool apart =
      in.mask.groups == KeyGroups::only_of_query || (in.mask.groups == KeyGroups::of_query && !in.mask.tokens.given());
  const Index most = std::clamp<Index>(elements / std::max<Index>(1, in.size.keys), 8, 64);
  return apart ? std::clamp<Index>(64 / in.mask.group_size, 1, most) : most;
}

/// Calls body(block) for the blocks of one head.
template <class T, class Body>
void for_each_row_block(const CrossAttentionInput<T>& in, Index batch, Index head, Body&& body) {
  const Index rows = rows_per_block(in);
  const Index queries = in.size.queries_of(batch);
  for (Index first = 0; first < queries; first += rows) {
    RowBlock block{batch, head, first, std::min(rows, queries - first), {in.size.keys_of(batch), 0}};
    for (Index i = first; i < first + block.count; ++i) {
      const KeyRange range = key_range(in, batch, i);
      if (range.begin >= range.end) continue;
      block.keys.begin = std::min(block.keys.begin, range.begin);
      block.keys.end = std::max(block.keys.end, range.end);
    }
    block.keys.end = std::max(block.keys.begin, block.keys.end);
    body(block);
  }
}

/// The weights of a block: softmax weights w, supplied weights s and what multiplies the values a, [rows][keys] each.
/// Without mixing and dropout a and w are one array; elements outside the range of a row are 0.
template <class T>
class WeightBlock {
 public:
  WeightBlock(const CrossAttentionInput<T>& in, const RowBlock& block, bool keeps_softmax) : in_(in), block_(block) {
    struct Buffers {};
    const Index elements = block.count * block.width();
    const bool separate = in.mixing.given() || (keeps_softmax && in.dropout);
    T* memory = thread_scratch<Buffers, T>(elements * (1 + (separate ? 1 : 0)) + block.width() + block.count);
    softmax_ = memory;
    applied_ = separate ? memory + elements : memory;
    supplied_ = applied_ + elements;
    factors_ = supplied_ + block.width();
  }

  void compute() {
    const Index width = block_.width();
    if (in_.mixing.local()) {
      matmul(Transpose::no, Transpose::yes, block_.count, width, in_.size.head_dim,
             in_.query(block_.batch, block_.head, block_.first), in_.size.width(),
             in_.key(block_.batch, block_.head, block_.keys.begin), in_.size.width(), softmax_, width,
             MatmulEpilogue<T>{nullptr, false, in_.scale});
    }
    for (Index r = 0; r < block_.count; ++r) compute_row(r);
  }

  RowPlace place(Index r) const {
    const Index i = block_.first + r;
    return {block_.batch, block_.head, i, key_range(in_, block_.batch, i)};
  }
  /// Position of the first key of a row's range in the block.
  Index offset(Index r) const { return r * block_.width() + place(r).range.begin - block_.keys.begin; }

  T* softmax() const { return softmax_; }
  T* applied() const { return applied_; }
  T factor(Index r) const { return factors_[r]; }

  /// The supplied weights of one row, computed again.
  const T* supplied(const RowPlace& row) const {
    supplied_row(in_, row, supplied_);
    return supplied_;
  }

 private:
  void compute_row(Index r) {
    const RowPlace row = place(r);
    clear_outside(row, r, softmax_);
    if (applied_ != softmax_) clear_outside(row, r, applied_);
    if (row.count() <= 0) return;
    T* w = softmax_ + offset(r);
    T* a = applied_ + offset(r);
    if (in_.mixing.local()) {
      mask_scores(in_.mask, row, w);
      softmax_row(row.count(), w);
    }
    if (!in_.mixing.given()) {
      if (a != w) std::copy_n(w, row.count(), a);
    } else if (in_.mixing.local()) {
      factors_[r] = mix_row(in_, row, w, supplied(row), a);
    } else {
      supplied_row(in_, row, a);
    }
    drop_row(in_, row, a);
  }

  void clear_outside(const RowPlace& row, Index r, T* values) const {
    T* begin = values + r * block_.width();
    T* end = begin + block_.width();
    if (row.count() <= 0) return std::fill(begin, end, T{0});
    std::fill(begin, begin + (row.range.begin - block_.keys.begin), T{0});
    std::fill(begin + (row.range.end - block_.keys.begin), end, T{0});
  }

  const CrossAttentionInput<T>& in_;
  const RowBlock& block_;
  T* softmax_;
  T* applied_;
  T* supplied_;
  T* factors_;
};

}  // namespace detail

}  // namespace weft::kernels
