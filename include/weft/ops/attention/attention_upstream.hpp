// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where the gradient of the attention weights comes from: from the output, from dense weights themselves, or from their
/// diagonal.
#pragma once

#include <algorithm>

#include "weft/ops/attention/attention_scores.hpp"
#include "weft/ops/vector_loop.hpp"

namespace weft::kernels::detail {

/// Copies the rows of a block's queries, zeros behind the features, so that they can be loaded by whole vectors.
template <class T>
void copy_query_rows(const T* rows, Index row_stride, Index count, Index features, T* out) {
  const Index width = whole_vectors<T>(features);
  for (Index i = 0; i < count; ++i, out += width) {
    std::copy_n(rows + i * row_stride, features, out);
    std::fill(out + features, out + width, T{0});
  }
}

template <class T>
T dot(const T* a, const T* b, Index count) {
  Vector<T> sum(T(0));
  for_each_vector<T>(
      count, [&](Index i, const auto& access) { sum = multiply_add(access.load(a + i), access.load(b + i), sum); });
  return sum_lanes(sum);
}

/// dw[i, j] = d_out[i] · v[j], so that Σⱼ w dw = d_out[i] · out[i].
template <class T>
class OutputUpstream {
 public:
  static constexpr bool has_values = true;

  OutputUpstream(AttentionRows<const T> out, AttentionRows<const T> d_out) : out_(out), d_out_(d_out) {}

  static Index buffer_size(const AttentionSize& size) {
    return kQueryBlock * (size.value_dim + whole_vectors<T>(size.value_dim));
  }

  /// Transposed d_out, and d_out in whole vectors.
  void load(const AttentionInput<T>& in, const QueryBlock<T>& block, T* buffer) {
    const Index features = in.size.value_dim;
    const Index stride = d_out_.row_stride;
    const T* d_out = d_out_.at(block.batch, block.first, block.head * features);
    transposed_ = buffer;
    rows_ = buffer + kQueryBlock * features;
    transpose_queries(d_out, stride, block.count, features, T{1}, transposed_);
    copy_query_rows(d_out, stride, block.count, features, rows_);
  }

  /// Has the rows fetched that `load` and `mean` will read.
  void fetch(const AttentionSize& size, Index batch, Index head, Index first, Index count, RowsAhead& ahead) const {
    const Index features = size.value_dim;
    ahead.add(d_out_.at(batch, first, head * features), d_out_.row_stride, count, features);
    ahead.add(out_.at(batch, first, head * features), out_.row_stride, count, features);
  }

  /// Σⱼ w[i, j] dw[i, j] of a query of the block.
  T mean(const AttentionInput<T>& in, const QueryBlock<T>& block, Index i) const {
    const T* out = out_.at(block.batch, block.first + i, block.head * in.size.value_dim);
    const T* d_out = d_out_.at(block.batch, block.first + i, block.head * in.size.value_dim);
    return dot(out, d_out, in.size.value_dim);
  }

  void d_weights(const AttentionInput<T>& in, const QueryBlock<T>& block, const ScorePanel<T>& panel, T* result) const {
    const auto product = tile_input(block.kv.values + panel.key * block.kv.value_stride, block.kv.value_stride, 1,
                                    transposed_ + panel.column, kQueryBlock, in.size.value_dim);
    multiply_keys(block, panel, product, result);
  }

  /// Rows of d_out, `whole_vectors(value_dim)` apart.
  const T* rows() const { return rows_; }

 private:
  AttentionRows<const T> out_;
  AttentionRows<const T> d_out_;
  T* transposed_ = nullptr;
  T* rows_ = nullptr;
};

/// dw is given, [batch, heads, queries, keys] like w.
template <class T>
class WeightsUpstream {
 public:
  static constexpr bool has_values = false;

  WeightsUpstream(const T* weights, const T* d_weights) : weights_(weights), d_weights_(d_weights) {}

  static Index buffer_size(const AttentionSize& /*size*/) { return 0; }
  void load(const AttentionInput<T>& /*in*/, const QueryBlock<T>& /*block*/, T* /*buffer*/) {}
  void fetch(const AttentionSize& /*size*/, Index /*batch*/, Index /*head*/, Index /*first*/, Index /*count*/,
             RowsAhead& /*ahead*/) const {}

  T mean(const AttentionInput<T>& in, const QueryBlock<T>& block, Index i) const {
    const Index row = row_of(in, block, i);
    return dot(weights_ + row, d_weights_ + row, in.size.keys);
  }

  void d_weights(const AttentionInput<T>& in, const QueryBlock<T>& block, const ScorePanel<T>& panel, T* result) const {
    const Index queries = std::min(panel.vectors * kLanes<T>, block.count - panel.column);
    pack(Strided<T>{d_weights_ + row_of(in, block, panel.column) + panel.key, in.size.keys, 1}, queries, panel.keys,
         result, kQueryBlock);
  }

  const T* rows() const { return nullptr; }

 private:
  static Index row_of(const AttentionInput<T>& in, const QueryBlock<T>& block, Index i) {
    return ((block.batch * in.size.heads + block.head) * in.size.queries + block.first + i) * in.size.keys;
  }

  const T* weights_;
  const T* d_weights_;
};

/// dw is given where a query meets its own key, [batch, heads, queries] like those w, and 0 elsewhere.
template <class T>
class DiagonalUpstream {
 public:
  static constexpr bool has_values = false;

  DiagonalUpstream(const T* diagonal, const T* d_diagonal) : diagonal_(diagonal), d_diagonal_(d_diagonal) {}

  static Index buffer_size(const AttentionSize& /*size*/) { return 0; }
  void load(const AttentionInput<T>& /*in*/, const QueryBlock<T>& /*block*/, T* /*buffer*/) {}
  void fetch(const AttentionSize& /*size*/, Index /*batch*/, Index /*head*/, Index /*first*/, Index /*count*/,
             RowsAhead& /*ahead*/) const {}

  T mean(const AttentionInput<T>& in, const QueryBlock<T>& block, Index i) const {
    const Index at = query_of(in, block, i);
    return diagonal_[at] * d_diagonal_[at];
  }

  void d_weights(const AttentionInput<T>& in, const QueryBlock<T>& block, const ScorePanel<T>& panel, T* result) const {
    for (Index r = 0; r < panel.keys; ++r) std::fill_n(result + r * kQueryBlock, panel.vectors * kLanes<T>, T{0});
    const Index queries = std::min(panel.vectors * kLanes<T>, block.count - panel.column);
    for (Index i = 0; i < queries; ++i) {
      const Index r = block.position + panel.column + i - panel.key;
      if (r < 0 || r >= panel.keys) continue;
      result[r * kQueryBlock + i] = d_diagonal_[query_of(in, block, panel.column + i)];
    }
  }

  const T* rows() const { return nullptr; }

 private:
  static Index query_of(const AttentionInput<T>& in, const QueryBlock<T>& block, Index i) {
    return (block.batch * in.size.heads + block.head) * in.size.queries + block.first + i;
  }

  const T* diagonal_;
  const T* d_diagonal_;
};

}  // namespace weft::kernels::detail
