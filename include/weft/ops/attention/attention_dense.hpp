// SPDX-License-Identifier: Apache-2.0
/// \file
/// The attention matrix itself, or its diagonal, for layers that work on it and for pictures of it.
#pragma once

#include <algorithm>
#include <limits>

#include "weft/ops/attention/attention_backward.hpp"
#include "weft/ops/attention/attention_decode.hpp"

namespace weft::kernels {

namespace detail {

/// Rows of the matrix for one block of queries: all their scores at once, [keys][queries].
template <class T>
class DenseBlock {
 public:
  DenseBlock(const AttentionInput<T>& in, const QueryBlock<T>& block) : in_(in), block_(block) {
    struct Buffers {};
    queries_ = thread_scratch<Buffers, T>((in.size.head_dim + in.key_room()) * kQueryBlock);
    scores_ = queries_ + in.size.head_dim * kQueryBlock;
  }

  /// Whole rows of weights.
  void run(T* weights, AttentionStatistics<T> statistics) {
    const AttentionSize& size = in_.size;
    weights += ((block_.batch * size.heads + block_.head) * size.queries + block_.first) * size.keys;
    run(statistics, [&](const ScorePanel<T>& panel, Index vector) {
      store(panel, vector, weights + (panel.column + vector * kLanes<T>)*size.keys);
    });
  }

  /// The weight of each query's own key, [batch, heads, queries].
  void run_diagonal(T* diagonal, AttentionStatistics<T> statistics) {
    const AttentionSize& size = in_.size;
    diagonal += (block_.batch * size.heads + block_.head) * size.queries + block_.first;
    run(statistics, [&](const ScorePanel<T>& panel, Index vector) {
      const Index at = panel.column + vector * kLanes<T>;
      for (Index i = at; i < std::min(at + kLanes<T>, block_.count); ++i) {
        const Index r = block_.position + i - panel.key;
        diagonal[i] = r >= 0 && r < panel.keys ? scores_[r * kQueryBlock + i] * factors_[i] : T{0};
      }
    });
  }

 private:
  /// Calls `take(panel, vector)` when the exponentials of a vector of queries and the factors of their sums are there.
  template <class Take>
  void run(AttentionStatistics<T> statistics, const Take& take) {
    const AttentionSize& size = in_.size;
    transpose_queries(in_.query(block_.batch, block_.head, block_.first), in_.q.row_stride, block_.count, size.head_dim,
                      in_.scale * sign_of(in_), queries_);
    for (Index column = 0; column < block_.count; column += kQueryPanel<T>) {
      const auto panel = panel_at(block_, column, block_.key_begin, block_.key_end, scores_);
      compute_scores(in_, block_, panel, queries_);
      for (Index v = 0; v < panel.vectors; ++v) normalize(panel, v);
      if (in_.dropout) drop_weights(in_, block_, panel, panel.scores);
      for (Index v = 0; v < panel.vectors; ++v) take(panel, v);
    }
    if (statistics.data == nullptr) return;
    std::copy_n(peaks_, block_.count, statistics.peaks(size, block_.batch, block_.head) + block_.first);
    std::copy_n(factors_, block_.count, statistics.factors(size, block_.batch, block_.head) + block_.first);
  }

  /// Scores of one vector of queries become exponentials; their peaks and the inverse of their sums are kept.
  void normalize(const ScorePanel<T>& panel, Index vector) {
    const Index at = panel.column + vector * kLanes<T>;
    const auto peaks = panel_peaks(block_, panel, vector, Vector<T>(std::numeric_limits<T>::lowest()));
    const auto sums = exponentiate(in_, block_, panel, vector, peaks);
    peaks.store_aligned(peaks_ + at);
    (Vector<T>(T(1)) / sums).store_aligned(factors_ + at);
  }

  /// Exponentials of one vector of queries, divided by their sums, into rows of `keys` weights.
  void store(const ScorePanel<T>& panel, Index vector, T* rows) {
    const Index at = panel.column + vector * kLanes<T>;
    const Index keys = in_.size.keys;
    const Index seen = keys_of_vector(block_, panel, vector);
    const Index count = std::min(kLanes<T>, block_.count - at);
    for (Index i = 0; i < count; ++i) {
      std::fill_n(rows + i * keys, block_.key_begin, T{0});
      std::fill(rows + i * keys + block_.key_begin + seen, rows + (i + 1) * keys, T{0});
    }
    store_queries(scores_ + at, count, seen, factors_ + at, rows + block_.key_begin, keys, false);
  }

  const AttentionInput<T>& in_;
  const QueryBlock<T>& block_;
  T* queries_;  ///< [head_dim][queries], scaled
  T* scores_;   ///< [keys][queries]
  alignas(64) T peaks_[kQueryBlock];
  alignas(64) T factors_[kQueryBlock];
};

/// The same problem without values.
template <class T>
AttentionInput<T> without_values(AttentionInput<T> in) {
  in.v = {};
  in.size.value_dim = 0;
  return in;
}

}  // namespace detail

/// w[b, n, i, :] = softmaxⱼ(sharpness · (scale · q·k + mask)), 0 for skipped keys. Values are not looked at.
///
/// \param weights     [batch, heads, queries, keys]
/// \param statistics  filled for `attention_weights_backward`; null data: not wanted
template <class T>
void attention_weights(const AttentionInput<T>& input, T* weights, AttentionStatistics<T> statistics = {}) {
  const AttentionInput<T> in = detail::without_values(input);
  if (detail::is_decode(in)) {
    return detail::for_each_decode_group(
        in, [&](detail::DecodeGroup<T>& group, Index at) { group.store(weights + at * in.size.keys, statistics); });
  }
  parallel_for(detail::count_query_blocks(in), detail::query_block_grain(in), [&](Index begin, Index end) {
    detail::for_each_query_block(in, begin, end, [&](const detail::QueryBlock<T>& block) {
      detail::DenseBlock<T>(in, block).run(weights, statistics);
    });
  });
}

/// The entries w[b, n, i, p] of the same where p is the position of query i among the keys.
///
/// \param diagonal    [batch, heads, queries]
/// \param statistics  filled for `attention_diagonal_backward`; null data: not wanted
template <class T>
void attention_diagonal(const AttentionInput<T>& input, T* diagonal, AttentionStatistics<T> statistics = {}) {
  const AttentionInput<T> in = detail::without_values(input);
  if (detail::is_decode(in)) {
    return detail::for_each_decode_group(
        in, [&](detail::DecodeGroup<T>& group, Index at) { group.store_own(diagonal + at, statistics); });
  }
  parallel_for(detail::count_query_blocks(in), detail::query_block_grain(in), [&](Index begin, Index end) {
    detail::for_each_query_block(in, begin, end, [&](const detail::QueryBlock<T>& block) {
      detail::DenseBlock<T>(in, block).run_diagonal(diagonal, statistics);
    });
  });
}

/// Gradients of q, k and the sharpness, given those of `attention_diagonal`'s result; dv must not be wanted.
template <class T>
void attention_diagonal_backward(const AttentionInput<T>& input, const T* diagonal, AttentionStatistics<T> statistics,
                                 const T* d_diagonal, const AttentionGradients<T>& gradients) {
  detail::backward_heads(detail::without_values(input), detail::DiagonalUpstream<T>(diagonal, d_diagonal), statistics,
                         gradients);
}

/// Gradients of q, k and the sharpness, given those of `attention_weights`' result; dv must not be wanted.
template <class T>
void attention_weights_backward(const AttentionInput<T>& input, const T* weights, AttentionStatistics<T> statistics,
                                const T* d_weights, const AttentionGradients<T>& gradients) {
  detail::backward_heads(detail::without_values(input), detail::WeightsUpstream<T>(weights, d_weights), statistics,
                         gradients);
}

}  // namespace weft::kernels
