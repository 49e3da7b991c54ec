// SPDX-License-Identifier: Apache-2.0
/// \file
/// Softmax attention without its matrix: a running softmax over blocks of keys.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "weft/ops/attention/attention_decode.hpp"
#include "weft/ops/attention/attention_scores.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft::kernels {

namespace detail {

/// Keys of a block: its scores, [keys][queries], stay in the first cache level.
inline constexpr Index kForwardKeys = 128;

/// The running softmax of one query block (Milakov and Gimelshein 2018; Dao et al. 2022): peaks and sums so far, and the
/// result so far, transposed and not yet divided by the sums.
template <class T>
class ForwardBlock {
 public:
  ForwardBlock(const AttentionInput<T>& in, const QueryBlock<T>& block) : in_(in), block_(block) {
    struct Buffers {};
    queries_ = thread_scratch<Buffers, T>((in.size.head_dim + in.size.value_dim + kForwardKeys) * kQueryBlock);
    result_ = queries_ + in.size.head_dim * kQueryBlock;
    scores_ = result_ + in.size.value_dim * kQueryBlock;
  }

  void run(AttentionRows<T> out, AttentionStatistics<T> statistics) {
    if (block_.ahead != nullptr) {
      block_.ahead->add(out.at(block_.batch, block_.first, block_.head * in_.size.value_dim), out.row_stride,
                        block_.count, in_.size.value_dim);
    }
    transpose_queries(in_.query(block_.batch, block_.head, block_.first), in_.q.row_stride, block_.count,
                      in_.size.head_dim, in_.scale * sign_of(in_), queries_);
    for (Index key = block_.key_begin; key < block_.key_end; key += kForwardKeys) {
      const Index end = std::min(block_.key_end, key + kForwardKeys);
      for (Index column = 0; column < block_.count; column += kQueryPanel<T>) {
        const auto panel = panel_at(block_, column, key, end, scores_);
        if (panel.keys > 0) add_panel(panel, key == block_.key_begin);
      }
    }
    finish(out, statistics);
  }

 private:
  void add_panel(const ScorePanel<T>& panel, bool first) {
    compute_scores(in_, block_, panel, queries_);
    for (Index v = 0; v < panel.vectors; ++v) update_softmax(panel, v, first);
    if (in_.dropout) drop_weights(in_, block_, panel, panel.scores);
    const auto product = tile_input(block_.kv.values + panel.key * block_.kv.value_stride, 1, block_.kv.value_stride,
                                    panel.scores, kQueryBlock, panel.keys);
    reduce_keys(block_, panel, in_.size.value_dim, product, result_ + panel.column, !first);
  }

  void update_softmax(const ScorePanel<T>& panel, Index vector, bool first) {
    const Index at = panel.column + vector * kLanes<T>;
    const Vector<T> before = first ? Vector<T>(std::numeric_limits<T>::lowest()) : Vector<T>::load_aligned(peaks_ + at);
    const Vector<T> peaks = panel_peaks(block_, panel, vector, before);
    Vector<T> sums = exponentiate(in_, block_, panel, vector, peaks);
    if (!first) {
      const Vector<T> shrink = kernels::exp(Vector<T>(std::abs(in_.sharpness)) * (before - peaks));
      sums = sums + shrink * Vector<T>::load_aligned(sums_ + at);
      if (!all(before == peaks)) scale_result(at, shrink);
    }
    peaks.store_aligned(peaks_ + at);
    sums.store_aligned(sums_ + at);
  }

  void scale_result(Index column, Vector<T> factor) {
    T* result = result_ + column;
    for (Index c = 0; c < in_.size.value_dim; ++c) {
      (factor * Vector<T>::load_aligned(result + c * kQueryBlock)).store_aligned(result + c * kQueryBlock);
    }
  }

  void finish(AttentionRows<T> out, AttentionStatistics<T> statistics) {
    for (Index column = 0; column < block_.count; column += kLanes<T>) {
      const Vector<T> factor = Vector<T>(T(1)) / Vector<T>::load_aligned(sums_ + column);
      factor.store_aligned(sums_ + column);
    }
    store_queries(result_, block_.count, in_.size.value_dim, sums_,
                  out.at(block_.batch, block_.first, block_.head * in_.size.value_dim), out.row_stride, false);
    if (statistics.data == nullptr) return;
    std::copy_n(peaks_, block_.count, statistics.peaks(in_.size, block_.batch, block_.head) + block_.first);
    std::copy_n(sums_, block_.count, statistics.factors(in_.size, block_.batch, block_.head) + block_.first);
  }

  const AttentionInput<T>& in_;
  const QueryBlock<T>& block_;
  T* queries_;  ///< [head_dim][queries], scaled
  T* result_;   ///< [value_dim][queries]
  T* scores_;   ///< [kForwardKeys][queries]
  alignas(64) T peaks_[kQueryBlock];
  alignas(64) T sums_[kQueryBlock];
};

}  // namespace detail

/// out[b, i, n, :] = Σⱼ w[b, n, i, j] v[b, j, n / group, :]. Memory beyond the result is linear in the head dimensions and,
/// for a single query, in the number of keys; nothing is allocated once a thread is warm.
///
/// \param statistics  filled for `attention_backward`; null data: not wanted
template <class T>
void attention_forward(const AttentionInput<T>& in, AttentionRows<T> out, AttentionStatistics<T> statistics = {}) {
  if (detail::is_decode(in)) return attention_decode(in, out, statistics);
  parallel_for(detail::count_query_blocks(in), detail::query_block_grain(in), [&](Index begin, Index end) {
    detail::for_each_query_block(in, begin, end, [&](const detail::QueryBlock<T>& block) {
      detail::ForwardBlock<T>(in, block).run(out, statistics);
    });
  });
}

}  // namespace weft::kernels
