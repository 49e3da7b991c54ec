// SPDX-License-Identifier: Apache-2.0
/// \file
/// Derivatives of softmax attention: scores are computed again, block by block, from what forward left for each row.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "weft/ops/attention/attention_upstream.hpp"
#include "weft/ops/vector_loop.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft::kernels {

namespace detail {

/// Keys of a block: two blocks of scores stay near the first cache level.
inline constexpr Index kBackwardKeys = 64;

/// All queries against one head of keys and values. With x = sharpness · (scale · q·k + mask), w = softmax(x):
/// dx = w (dw - Σ w dw), dq = sharpness scale dx k, dk = sharpness scale dxᵀ q, dv = wᵀ d_out, and d sharpness =
/// Σ dx (score - peak), because the dx of a row add up to 0. Keys masked with the smallest number add nothing to the last
/// sum; their dx is 0 anyway, unless the sharpness is as good as 0. With dropout, w here is not dropped; what it multiplies and
/// what multiplies it is, so that Σ w dw stays d_out · out.
template <class T, class Upstream>
class BackwardHead {
 public:
  BackwardHead(const AttentionInput<T>& in, const Upstream& upstream, AttentionStatistics<T> statistics,
               const AttentionGradients<T>& gradients)
      : in_(in), upstream_(upstream), statistics_(statistics), gradients_(gradients) {
    struct Buffers {};
    const Index transposed = in.size.head_dim * kQueryBlock;
    const Index upstream_size = Upstream::buffer_size(in.size);
    const Index scores = kBackwardKeys * kQueryBlock + kLanes<T>;  // packing writes a vector behind the last row
    T* scratch = thread_scratch<Buffers, T>(2 * transposed + kQueryBlock * key_width_ + upstream_size + 2 * scores +
                                            in.size.keys * (key_width_ + value_width_));
    const auto take = [&](Index size) { return std::exchange(scratch, scratch + size); };
    queries_ = take(transposed);
    dq_ = take(transposed);
    query_rows_ = take(kQueryBlock * key_width_);
    upstream_buffer_ = take(upstream_size);
    scores_ = take(scores);
    d_scores_ = take(scores);
    dk_ = take(in.size.keys * key_width_);
    dv_ = take(in.size.keys * value_width_);
  }

  /// Returns head `at`'s part of d sharpness. The heads of keys are counted through all sequences; those before `end` follow.
  double run(Index at, Index end) {
    const Index batch = at / in_.size.kv_heads;
    const Index kv_head = at % in_.size.kv_heads;
    std::fill_n(dk_, in_.size.keys * key_width_, T{0});
    if (gradients_.dv) std::fill_n(dv_, in_.size.keys * value_width_, T{0});
    d_sharpness_ = 0;
    const Index group = in_.size.group();
    const auto kv = load_head(in_, batch, kv_head * group);
    for (Index head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      for (Index first = 0; first < in_.size.queries; first += kQueryBlock) {
        QueryBlock<T> block = plan_block(in_, kv, batch, head, first);
        block.ahead = &ahead_;
        fetch_next(block, at, end);
        run_block(block);
      }
    }
    const T factor = in_.sharpness * in_.scale;
    if (gradients_.dk) store_keys(dk_, key_width_, in_.size.head_dim, factor, gradients_.dk, batch, kv_head);
    if (gradients_.dv) store_keys(dv_, value_width_, in_.size.value_dim, T{1}, gradients_.dv, batch, kv_head);
    return d_sharpness_;
  }

 private:
  /// What the products of a block fetch: where it will write, and what the next block reads.
  void fetch_next(const QueryBlock<T>& block, Index at, Index end) {
    const Index group = in_.size.group();
    ahead_.clear();
    if (gradients_.dq) fetch_rows(gradients_.dq, block.batch, block.first, block.count, block.head, in_.size.head_dim);
    const bool last_of_head = block.first + kQueryBlock >= in_.size.queries;
    const bool last = last_of_head && (block.head + 1) % group == 0;
    if (!last) {
      const Index first = last_of_head ? 0 : block.first + kQueryBlock;
      return fetch_queries(block.batch, block.head + (last_of_head ? 1 : 0), first, true);
    }
    if (at + 1 < end) fetch_queries((at + 1) / in_.size.kv_heads, (at + 1) % in_.size.kv_heads * group, 0, false);
    const Index kv_head = at % in_.size.kv_heads;
    if (gradients_.dk) fetch_rows(gradients_.dk, block.batch, 0, in_.size.keys, kv_head, in_.size.head_dim);
    if (gradients_.dv) fetch_rows(gradients_.dv, block.batch, 0, in_.size.keys, kv_head, in_.size.value_dim);
  }

  void fetch_queries(Index batch, Index head, Index first, bool loaded) {
    fetch_block(in_, batch, head, first, loaded, ahead_);
    upstream_.fetch(in_.size, batch, head, first, std::min(kQueryBlock, in_.size.queries - first), ahead_);
  }

  void fetch_rows(const AttentionGradientRows<T>& to, Index batch, Index first, Index count, Index head,
                  Index features) {
    ahead_.add(to.rows.at(batch, first, head * features), to.rows.row_stride, count, features);
  }

  bool wants_scores() const { return gradients_.dq || gradients_.dk || gradients_.d_sharpness != nullptr; }

  void run_block(const QueryBlock<T>& block) {
    load_block(block);
    for (Index key = block.key_begin; key < block.key_end; key += kBackwardKeys) {
      const Index end = std::min(block.key_end, key + kBackwardKeys);
      for (Index column = 0; column < block.count; column += kQueryPanel<T>) {
        const auto panel = panel_at(block, column, key, end, scores_);
        if (panel.keys > 0) run_panel(block, panel, key == block.key_begin);
      }
      add_to_keys(block, key, end);
    }
    if (!gradients_.dq) return;
    std::fill_n(factors_, kQueryBlock, in_.sharpness * in_.scale);
    store_queries(dq_, block.count, in_.size.head_dim, factors_,
                  gradients_.dq.rows.at(block.batch, block.first, block.head * in_.size.head_dim),
                  gradients_.dq.rows.row_stride, gradients_.dq.accumulate);
  }

  void load_block(const QueryBlock<T>& block) {
    const T* query = in_.query(block.batch, block.head, block.first);
    const Index features = in_.size.head_dim;
    transpose_queries(query, in_.q.row_stride, block.count, features, in_.scale * sign_of(in_), queries_);
    if (gradients_.dk) copy_query_rows(query, in_.q.row_stride, block.count, features, query_rows_);
    upstream_.load(in_, block, upstream_buffer_);
    std::fill_n(peaks_, kQueryBlock, T{0});
    std::fill_n(factors_, kQueryBlock, T{0});
    std::fill_n(means_, kQueryBlock, T{0});
    std::copy_n(statistics_.peaks(in_.size, block.batch, block.head) + block.first, block.count, peaks_);
    std::copy_n(statistics_.factors(in_.size, block.batch, block.head) + block.first, block.count, factors_);
    if (!wants_scores()) return;
    for (Index i = 0; i < block.count; ++i) means_[i] = upstream_.mean(in_, block, i);
  }

  void run_panel(const QueryBlock<T>& block, const ScorePanel<T>& panel, bool first) {
    compute_scores(in_, block, panel, queries_);
    if (wants_scores()) {
      upstream_.d_weights(in_, block, panel, d_scores_ + panel.column);
      if (in_.dropout) drop_weights(in_, block, panel, d_scores_ + panel.column);
    }
    if (wants_scores() && block.skip_later) level_single_keys(block, panel);
    for (Index v = 0; v < panel.vectors; ++v) differentiate(block, panel, v);
    if (in_.dropout && gradients_.dv) drop_weights(in_, block, panel, panel.scores);
    if (!gradients_.dq) return;
    const auto product = tile_input(block.kv.keys + panel.key * block.kv.key_stride, 1, block.kv.key_stride,
                                    d_scores_ + panel.column, kQueryBlock, panel.keys);
    reduce_keys(block, panel, in_.size.head_dim, product, dq_ + panel.column, !first);
  }

  /// Scores become weights, and the gradients of weights those of x, for one vector of queries.
  void differentiate(const QueryBlock<T>& block, const ScorePanel<T>& panel, Index vector) {
    const Index at = panel.column + vector * kLanes<T>;
    const auto peaks = Vector<T>::load_aligned(peaks_ + at);
    const auto factors = Vector<T>::load_aligned(factors_ + at);
    const auto means = Vector<T>::load_aligned(means_ + at);
    const Vector<T> sharpness(std::abs(in_.sharpness));
    const Vector<T> masked(std::numeric_limits<T>::lowest() / 2);
    const Vector<T> zero(T(0));
    Vector<T> d_sharpness = zero;
    for_each_key(block, panel, vector, [&](Index r, const auto& keep) {
      T* score = panel.scores + vector * kLanes<T> + r * kQueryBlock;
      T* d_score = d_scores_ + at + r * kQueryBlock;
      const Vector<T> above = Vector<T>::load_aligned(score) - peaks;
      const Vector<T> weight = keep(kernels::exp(sharpness * above) * factors, zero);
      weight.store_aligned(score);
      const Vector<T> dx = weight * (Vector<T>::load_aligned(d_score) - means);
      dx.store_aligned(d_score);
      d_sharpness = multiply_add(dx, select(above > masked, above, zero), d_sharpness);
    });
    alignas(64) T lanes[kLanes<T>];
    d_sharpness.store_aligned(lanes);
    const Index count = std::min(kLanes<T>, block.count - at);
    for (Index i = 0; i < count; ++i) d_sharpness_ += static_cast<double>(sign_of(in_) * lanes[i]);
  }

  /// A query that sees one key weighs it with 1 whatever the score, so that dw is the mean of dw: made so exactly, because AdamW
  /// would make steps of the rounding errors of two sums.
  void level_single_keys(const QueryBlock<T>& block, const ScorePanel<T>& panel) {
    const Index queries = std::min(panel.vectors * kLanes<T>, block.count - panel.column);
    for (Index at = panel.column; at < panel.column + queries; ++at) {
      const Index own = block.position + at;
      const Index begin = block.first_key != nullptr ? block.first_key[at] : block.key_begin;
      const Index r = own - panel.key;
      if (begin == own && r >= 0 && r < panel.keys) d_scores_[r * kQueryBlock + at] = means_[at];
    }
  }

  /// dk += dxᵀ q and dv += wᵀ d_out for the keys [key, end), each with the queries that see it.
  void add_to_keys(const QueryBlock<T>& block, Index key, Index end) {
    Index begin = key;
    for (Index column = 0; column < block.count && begin < end; column += kLanes<T>) {
      const Index stop = std::min(end, block.key_end_before(column + kLanes<T>));
      if (stop <= begin) continue;
      const Index at = (begin - key) * kQueryBlock + column;
      const Index depth = block.count - column;
      if (gradients_.dk) {
        multiply_wide(stop - begin, key_width_,
                      tile_input(d_scores_ + at, kQueryBlock, 1, query_rows_ + column * key_width_, key_width_, depth),
                      dk_ + begin * key_width_, key_width_, block.ahead);
      }
      if (Upstream::has_values && gradients_.dv) {
        multiply_wide(
            stop - begin, value_width_,
            tile_input(scores_ + at, kQueryBlock, 1, upstream_.rows() + column * value_width_, value_width_, depth),
            dv_ + begin * value_width_, value_width_, block.ahead);
      }
      begin = stop;
    }
  }

  /// to[j][c] (+)= factor * from[j][c]
  void store_keys(const T* from, Index width, Index features, T factor, const AttentionGradientRows<T>& to, Index batch,
                  Index kv_head) {
    for (Index j = 0; j < in_.size.keys; ++j) {
      T* row = to.rows.at(batch, j, kv_head * features);
      for_each_vector<T>(features, [&](Index c, const auto& access) {
        const Vector<T> value = Vector<T>(factor) * Vector<T>::load_aligned(from + j * width + c);
        access.store(row + c, to.accumulate ? access.load(row + c) + value : value);
      });
    }
  }

  const AttentionInput<T>& in_;
  Upstream upstream_;
  AttentionStatistics<T> statistics_;
  const AttentionGradients<T>& gradients_;
  Index key_width_ = whole_vectors<T>(in_.size.head_dim);
  Index value_width_ = Upstream::has_values ? whole_vectors<T>(in_.size.value_dim) : 0;
  T* queries_;          ///< [head_dim][queries], scaled
  T* dq_;               ///< [head_dim][queries]
  T* query_rows_;       ///< [queries][key_width]
  T* upstream_buffer_;  ///< of the upstream
  T* scores_;           ///< [kBackwardKeys][queries]: scores, then weights
  T* d_scores_;         ///< [kBackwardKeys][queries]: dw, then dx
  T* dk_;               ///< [keys][key_width]
  T* dv_;               ///< [keys][value_width]
  RowsAhead ahead_;
  double d_sharpness_ = 0;
  alignas(64) T peaks_[kQueryBlock];
  alignas(64) T factors_[kQueryBlock];
  alignas(64) T means_[kQueryBlock];
};

/// Heads of keys are independent of each other: each is one thread's, so no sum depends on the number of threads.
template <class T, class Upstream>
void backward_heads(const AttentionInput<T>& in, const Upstream& upstream, AttentionStatistics<T> statistics,
                    const AttentionGradients<T>& gradients) {
  struct Partial {};
  const Index heads = in.size.batch * in.size.kv_heads;
  double* partial = thread_scratch<Partial, double>(heads);
  parallel_for(heads, 1, [&](Index begin, Index end) {
    BackwardHead<T, Upstream> backward(in, upstream, statistics, gradients);
    for (Index at = begin; at < end; ++at) partial[at] = backward.run(at, end);
  });
  if (gradients.d_sharpness == nullptr) return;
  double sum = 0;
  for (Index at = 0; at < heads; ++at) sum += partial[at];
  const double before = gradients.accumulate_sharpness ? static_cast<double>(*gradients.d_sharpness) : 0;
  *gradients.d_sharpness = static_cast<T>(before + gradients.sharpness_factor * sum);
}

}  // namespace detail

/// Gradients of q, k, v and the sharpness, given those of `attention_forward`'s result. Memory beyond the gradients is linear
/// in the number of keys; nothing is allocated once a thread is warm.
///
/// \param out         what forward returned
/// \param statistics  what forward left
template <class T>
void attention_backward(const AttentionInput<T>& in, AttentionRows<const T> out, AttentionStatistics<T> statistics,
                        AttentionRows<const T> d_out, const AttentionGradients<T>& gradients) {
  detail::backward_heads(in, detail::OutputUpstream<T>(out, d_out), statistics, gradients);
}

}  // namespace weft::kernels
