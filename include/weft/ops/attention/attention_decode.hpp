// SPDX-License-Identifier: Apache-2.0
/// \file
/// Attention of a single query: one new token against a cache of keys and values. Bound by reading them once.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "weft/ops/attention/attention_tile.hpp"
#include "weft/ops/elementwise/vector_math.hpp"
#include "weft/ops/vector_loop.hpp"
#include "weft/tensor/parallel.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft::kernels {

namespace detail {

/// Products of one query with `count` <= lanes keys: a vector of partial sums for each key, summed by transposing them.
template <class T>
Vector<T> score_keys(const T* query, const T* keys, Index row_stride, Index count, Index head_dim) {
  SquareBlock<T> partial;
  for (Index r = 0; r < kLanes<T>; ++r) {
    Vector<T> sum(T(0));
    const T* key = keys + std::min(r, count - 1) * row_stride;
    for_each_vector<T>(head_dim, [&](Index c, const auto& access) {
      sum = multiply_add(access.load(query + c), access.load(key + c), sum);
    });
    partial[r] = sum.data;
  }
  transpose<T>(partial);
  Vector<T> sums(partial[0]);
  for (Index r = 1; r < kLanes<T>; ++r) sums = sums + Vector<T>(partial[r]);
  return sums;
}

/// out[c] = Σⱼ weights[j] values[j][c] for `Vectors` vectors of features; even and odd keys are summed apart.
template <int Vectors, class T>
void mix_values(const T* weights, const T* values, Index row_stride, Index count, T* out) {
  Vector<T> even[Vectors];
  Vector<T> odd[Vectors];
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; ++v) even[v] = odd[v] = Vector<T>(T(0));
  Index j = 0;
  for (; j + 2 <= count; j += 2) {
    const T* row = values + j * row_stride;
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      const Index c = v * kLanes<T>;
      even[v] = multiply_add(Vector<T>(weights[j]), Vector<T>::load_unaligned(row + c), even[v]);
      odd[v] = multiply_add(Vector<T>(weights[j + 1]), Vector<T>::load_unaligned(row + row_stride + c), odd[v]);
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; ++v) {
    const Index c = v * kLanes<T>;
    if (j < count) {
      even[v] = multiply_add(Vector<T>(weights[j]), Vector<T>::load_unaligned(values + j * row_stride + c), even[v]);
    }
    (even[v] + odd[v]).store_unaligned(out + c);
  }
}

/// The same for fewer features than a vector has.
template <class T>
void mix_last_values(const T* weights, const T* values, Index row_stride, Index count, Index features, T* out) {
  Vector<T> sum(T(0));
  for (Index j = 0; j < count; ++j) {
    sum = multiply_add(Vector<T>(weights[j]), load_first(values + j * row_stride, features), sum);
  }
  store_first(out, sum, features);
}

/// One query of one head.
template <class T>
class DecodeRow {
 public:
  DecodeRow(const AttentionInput<T>& in, Index batch, Index head)
      : in_(in), block_(plan_block(in, {}, batch, head, 0)), keys_(block_.key_end - block_.key_begin) {
    struct Scores {};
    scores_ = thread_scratch<Scores, T>(whole_vectors<T>(in.key_room()));
  }

  void run(AttentionRows<T> out, AttentionStatistics<T> statistics) {
    const T factor = weigh(statistics);
    mix(out.at(block_.batch, 0, block_.head * in_.size.value_dim), factor);
  }

  /// The row of weights, of all keys.
  void store(T* weights, AttentionStatistics<T> statistics) {
    const T factor = weigh(statistics);
    std::fill_n(weights, block_.key_begin, T{0});
    for_each_vector<T>(keys_, [&](Index r, const auto& access) {
      access.store(weights + block_.key_begin + r, Vector<T>(factor) * Vector<T>::load_aligned(scores_ + r));
    });
    std::fill(weights + block_.key_end, weights + in_.size.keys, T{0});
  }

  /// The weight of the query's own key.
  T own_weight(AttentionStatistics<T> statistics) {
    const T factor = weigh(statistics);
    const Index r = block_.position - block_.key_begin;
    return r >= 0 && r < keys_ ? factor * scores_[r] : T{0};
  }

 private:
  /// Makes exponentials of scores; returns what makes weights of them.
  T weigh(AttentionStatistics<T> statistics) {
    score();
    const T peak = find_peak();
    const T factor = 1 / exponentiate(peak);
    if (statistics.data != nullptr) {
      *statistics.peaks(in_.size, block_.batch, block_.head) = peak;
      *statistics.factors(in_.size, block_.batch, block_.head) = factor;
    }
    return factor;
  }

  /// sign · (scale · q·k + mask); lanes behind the last key repeat it.
  void score() {
    const T sign = in_.sharpness < 0 ? T{-1} : T{1};
    constexpr T lowest = std::numeric_limits<T>::lowest();
    const T* query = in_.query(block_.batch, block_.head, 0);
    const Vector<T> scale(sign * in_.scale);
    for (Index r = 0; r < keys_; r += kLanes<T>) {
      const Vector<T> products = score_keys(query, in_.key(block_.batch, block_.head, block_.key_begin + r),
                                            in_.k.row_stride, std::min(kLanes<T>, keys_ - r), in_.size.head_dim);
      (scale * products).store_aligned(scores_ + r);
    }
    if (in_.mask.key_valid != nullptr) {
      const std::int32_t* valid = in_.mask.key_valid + block_.batch * in_.size.keys + block_.key_begin;
      for (Index r = 0; r < keys_; ++r) scores_[r] += valid[r] != 0 ? T{0} : sign * lowest;
    }
    if (in_.mask.additive != nullptr) {
      const T* mask = in_.mask.additive + block_.batch * in_.mask.additive_batch_stride + block_.key_begin;
      for (Index r = 0; r < keys_; ++r) scores_[r] += sign * std::max(mask[r], lowest);
    }
    std::fill(scores_ + keys_, scores_ + whole_vectors<T>(keys_), scores_[keys_ - 1]);
  }

  T find_peak() const {
    Vector<T> peaks = Vector<T>::load_aligned(scores_);
    for (Index r = kLanes<T>; r < keys_; r += kLanes<T>) peaks = max(peaks, Vector<T>::load_aligned(scores_ + r));
    return max_lanes(peaks);
  }

  T exponentiate(T peak) {
    const Vector<T> sharpness(std::abs(in_.sharpness));
    for (Index r = 0; r < keys_; r += kLanes<T>) {
      kernels::exp(sharpness * (Vector<T>::load_aligned(scores_ + r) - Vector<T>(peak))).store_aligned(scores_ + r);
    }
    std::fill(scores_ + keys_, scores_ + whole_vectors<T>(keys_), T{0});
    Vector<T> sum(T(0));
    for (Index r = 0; r < keys_; r += kLanes<T>) sum = sum + Vector<T>::load_aligned(scores_ + r);
    return sum_lanes(sum);
  }

  void mix(T* out, T factor) {
    const T* values = in_.value(block_.batch, block_.head, block_.key_begin);
    const Index stride = in_.v.row_stride;
    const Index features = in_.size.value_dim;
    Index c = 0;
    for (; c + 4 * kLanes<T> <= features; c += 4 * kLanes<T>)
      mix_values<4>(scores_, values + c, stride, keys_, out + c);
    for (; c + kLanes<T> <= features; c += kLanes<T>) mix_values<1>(scores_, values + c, stride, keys_, out + c);
    if (c < features) mix_last_values(scores_, values + c, stride, keys_, features - c, out + c);
    for (Index i = 0; i < features; ++i) out[i] *= factor;
  }

  const AttentionInput<T>& in_;
  QueryBlock<T> block_;
  Index keys_;
  T* scores_;
};

/// Whether there is one query a sequence, so that rows are worked on one by one.
template <class T>
bool is_decode(const AttentionInput<T>& in) {
  return in.size.queries == 1 && !in.dropout;
}

/// Calls body(row, batch * heads + head) for the query of every head, on all threads.
template <class T, class Body>
void for_each_decode_row(const AttentionInput<T>& in, Body&& body) {
  const Index cost = in.size.keys * (in.size.head_dim + in.size.value_dim);
  const Index grain = std::max<Index>(1, 30'000 / std::max<Index>(1, cost));
  parallel_for(in.size.batch * in.size.heads, grain, [&](Index begin, Index end) {
    for (Index at = begin; at < end; ++at) {
      DecodeRow<T> row(in, at / in.size.heads, at % in.size.heads);
      body(row, at);
    }
  });
}

}  // namespace detail

/// `attention_forward` for one query a sequence; heads run on different threads.
template <class T>
void attention_decode(const AttentionInput<T>& in, AttentionRows<T> out, AttentionStatistics<T> statistics = {}) {
  detail::for_each_decode_row(in, [&](detail::DecodeRow<T>& row, Index) { row.run(out, statistics); });
}

}  // namespace weft::kernels
