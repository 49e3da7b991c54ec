// SPDX-License-Identifier: Apache-2.0
/// \file
/// Derivatives of cross attention by recomputation: forward leaves nothing but its result.
#pragma once

#include <algorithm>

#include "weft/ops/cross_attention/cross_attention_block.hpp"

namespace weft::kernels {

namespace detail {

/// One head of one text. All targets are added to: whoever starts a head has cleared those that were to be overwritten.
template <class T>
class HeadBackward {
 public:
  HeadBackward(const CrossAttentionInput<T>& in, const T* d_out, const CrossAttentionGradients<T>& gradients,
               Index batch, Index head)
      : in_(in), d_out_(d_out), gradients_(gradients), batch_(batch), head_(head) {}

  /// Returns this head's part of d mix.
  T run() {
    const CrossAttentionSize& size = in_.size;
    const bool first_of_shared = !size.shared_queries || batch_ == 0;
    const Index queries = size.shared_queries ? size.queries : size.queries_of(batch_);
    if (first_of_shared) clear(gradients_.dq, in_.at(size.query_row(batch_), head_), queries);
    clear(gradients_.dk, in_.at(size.key_row(batch_), head_), size.keys_of(batch_));
    clear(gradients_.dv, in_.at(size.key_row(batch_), head_), size.keys_of(batch_));
    clear_supplied();
    for_each_row_block(in_, batch_, head_, [&](const RowBlock& block) {
      if (block.width() > 0) run_block(block);
    });
    return d_mix_;
  }

 private:
  void clear(const GradientTarget<T>& target, Index at, Index rows) const {
    if (!target || target.accumulate) return;
    for (Index i = 0; i < rows; ++i) std::fill_n(target.data + at + i * in_.size.width(), in_.size.head_dim, T{0});
  }

  void clear_supplied() const {
    if (!gradients_.d_supplied || gradients_.d_supplied.accumulate) return;
    const Index entries = in_.mixing.kind == SuppliedWeights::dense ? in_.size.queries * in_.size.keys
                                                                    : in_.mixing.extent * in_.mixing.extent;
    std::fill_n(gradients_.d_supplied.data + (batch_ * in_.size.heads + head_) * entries, entries, T{0});
  }

  void run_block(const RowBlock& block) {
    struct Slopes {};
    WeightBlock<T> weights(in_, block, true);
    weights.compute();
    const Index width = block.width();
    const T* d_out = d_out_ + in_.at(in_.size.result_row(batch_) + block.first, head_);
    add_values_gradient(block, weights.applied(), d_out);
    if (!gradients_.dq && !gradients_.dk && !gradients_.d_supplied && !gradients_.d_mix) return;
    T* slopes = thread_scratch<Slopes, T>(block.count * width);
    matmul(Transpose::no, Transpose::yes, block.count, width, in_.size.head_dim, d_out, in_.size.width(),
           in_.value(batch_, head_, block.keys.begin), in_.size.width(), slopes, width);
    for (Index r = 0; r < block.count; ++r) run_row(block, weights, r, slopes);
    if (in_.mixing.local()) add_query_key_gradients(block, slopes);
  }

  /// dv += aᵀ d out
  void add_values_gradient(const RowBlock& block, const T* applied, const T* d_out) const {
    if (!gradients_.dv) return;
    matmul(Transpose::yes, Transpose::no, block.width(), in_.size.head_dim, block.count, applied, block.width(), d_out,
           in_.size.width(), gradients_.dv.data + in_.at(in_.size.key_row(batch_) + block.keys.begin, head_),
           in_.size.width(), MatmulEpilogue<T>{nullptr, true, T{1}});
  }

  /// da becomes d scores; on the way d mix and d supplied take their parts.
  void run_row(const RowBlock& block, const WeightBlock<T>& weights, Index r, T* block_slopes) {
    const RowPlace row = weights.place(r);
    T* const begin = block_slopes + r * block.width();
    T* const end = begin + block.width();
    if (row.count() <= 0) return std::fill(begin, end, T{0});
    T* slopes = begin + (row.range.begin - block.keys.begin);
    std::fill(begin, slopes, T{0});
    std::fill(slopes + row.count(), end, T{0});
    const T* w = weights.softmax() + weights.offset(r);
    const T* a = weights.applied() + weights.offset(r);
    if (in_.mixing.given() && in_.mixing.local()) {
      mixing_backward(row, w, a, weights.supplied(row), weights.factor(r), slopes);
    } else {
      drop_row(in_, row, slopes);
      if (in_.mixing.given()) add_supplied_gradient(row, T{1}, slopes);
    }
    if (in_.mixing.local()) softmax_row_backward(in_.mask, row, w, slopes);
  }

  /// With u = m w + (1 - m) s and a = u / (Σ u + 1e-9): du = (da - Σ da a) / (Σ u + 1e-9), dw = m du, ds = (1 - m) du,
  /// dm = Σ du (w - s). Entries that the fill covers, which became 0 after the division, still count in Σ u.
  void mixing_backward(const RowPlace& row, const T* w, const T* a, const T* supplied, T factor, T* slopes) {
    const auto [product] = row_sums<T, 1>(row.count(), [&](Index j, auto access, auto& sums) {
      sums[0] = multiply_add(access.load(a + j), access.load(slopes + j), sums[0]);
    });
    drop_row(in_, row, slopes);
    fill_row(in_.mask, row, slopes, T{0});
    T d_mix = 0;
    for (Index j = 0; j < row.count(); ++j) {
      slopes[j] = (slopes[j] - product) * factor;
      d_mix += slopes[j] * (w[j] - supplied[j]);
    }
    d_mix_ += d_mix;
    add_supplied_gradient(row, 1 - in_.mixing.mix, slopes);
    for (Index j = 0; j < row.count(); ++j) slopes[j] *= in_.mixing.mix;
  }

  void add_supplied_gradient(const RowPlace& row, T share, const T* slopes) const {
    if (!gradients_.d_supplied) return;
    T* target = gradients_.d_supplied.data;
    if (in_.mixing.kind == SuppliedWeights::dense) {
      target += ((batch_ * in_.size.heads + head_) * in_.size.queries + row.i) * in_.size.keys + row.range.begin;
      for (Index j = 0; j < row.count(); ++j) target[j] += share * slopes[j];
      return;
    }
    struct Visible {};
    T* visible = thread_scratch<Visible, T>(row.count());
    std::copy_n(slopes, row.count(), visible);
    hide_supplied(in_.mixing, row, visible);
    for_each_upscaled(in_, row, [&](Index j, Index entry, T factor) { target[entry] += share * factor * visible[j]; });
  }

  /// dq += scale · d scores k, dk += scale · d scoresᵀ q
  void add_query_key_gradients(const RowBlock& block, const T* slopes) const {
    const CrossAttentionSize& size = in_.size;
    const MatmulEpilogue<T> add_scaled{nullptr, true, in_.scale};
    if (gradients_.dq) {
      matmul(Transpose::no, Transpose::no, block.count, size.head_dim, block.width(), slopes, block.width(),
             in_.key(batch_, head_, block.keys.begin), size.width(),
             gradients_.dq.data + in_.at(size.query_row(batch_) + block.first, head_), size.width(), add_scaled);
    }
    if (gradients_.dk) {
      matmul(Transpose::yes, Transpose::no, block.width(), size.head_dim, block.count, slopes, block.width(),
             in_.query(batch_, head_, block.first), size.width(),
             gradients_.dk.data + in_.at(size.key_row(batch_) + block.keys.begin, head_), size.width(), add_scaled);
    }
  }

  const CrossAttentionInput<T>& in_;
  const T* d_out_;
  const CrossAttentionGradients<T>& gradients_;
  Index batch_;
  Index head_;
  T d_mix_ = 0;
};

}  // namespace detail

}  // namespace weft::kernels
