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

/// out[c] (+)= Σⱼ weights[j] values[j][c] for `Vectors` vectors of features; even and odd keys are summed apart.
template <int Vectors, class T>
void mix_values(const T* weights, const T* values, Index row_stride, Index count, bool accumulate, T* out) {
  Vector<T> even[Vectors];
  Vector<T> odd[Vectors];
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; ++v) {
    even[v] = accumulate ? Vector<T>::load_unaligned(out + v * kLanes<T>) : Vector<T>(T(0));
    odd[v] = Vector<T>(T(0));
  }
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
void mix_last_values(const T* weights, const T* values, Index row_stride, Index count, Index features, bool accumulate,
                     T* out) {
  Vector<T> sum = accumulate ? load_first(out, features) : Vector<T>(T(0));
  for (Index j = 0; j < count; ++j) {
    sum = multiply_add(Vector<T>(weights[j]), load_first(values + j * row_stride, features), sum);
  }
  store_first(out, sum, features);
}

/// The queries of some heads of a text that share a head of keys and values. A few keys at a time serve all of them, so that
/// memory is read once: the rows of a head lie far apart, often at a distance that fills few sets of a cache, and would not
/// stay there until the next query.
template <class T>
class DecodeGroup {
 public:
  static constexpr Index kMostHeads = 8;

  DecodeGroup(const AttentionInput<T>& in, Index batch, Index head, Index heads)
      : in_(in), block_(plan_block(in, {}, batch, head, 0)), heads_(heads), keys_(block_.key_end - block_.key_begin) {
    struct Scores {};
    room_ = whole_vectors<T>(in.key_room());
    scores_ = thread_scratch<Scores, T>(std::min(kMostHeads, in.size.group()) * room_);
  }

  void run(AttentionRows<T> out, AttentionStatistics<T> statistics) {
    weigh(statistics);
    mix(out);
  }

  /// The rows of weights, of all keys.
  void store(T* weights, AttentionStatistics<T> statistics) {
    weigh(statistics);
    for (Index h = 0; h < heads_; ++h, weights += in_.size.keys) {
      std::fill_n(weights, block_.key_begin, T{0});
      for_each_vector<T>(keys_, [&](Index r, const auto& access) {
        access.store(weights + block_.key_begin + r, Vector<T>(factors_[h]) * Vector<T>::load_aligned(scores(h) + r));
      });
      std::fill(weights + block_.key_end, weights + in_.size.keys, T{0});
    }
  }

  /// The weights of the queries' own key.
  void store_own(T* weights, AttentionStatistics<T> statistics) {
    weigh(statistics);
    const Index r = block_.position - block_.key_begin;
    for (Index h = 0; h < heads_; ++h) weights[h] = r >= 0 && r < keys_ ? factors_[h] * scores(h)[r] : T{0};
  }

 private:
  T* scores(Index h) const { return scores_ + h * room_; }

  /// Makes exponentials of scores, and the factors that make weights of them.
  void weigh(AttentionStatistics<T> statistics) {
    score();
    for (Index h = 0; h < heads_; ++h) {
      mask(scores(h));
      const T peak = find_peak(scores(h));
      factors_[h] = 1 / exponentiate(peak, scores(h));
      if (statistics.data == nullptr) continue;
      *statistics.peaks(in_.size, block_.batch, block_.head + h) = peak;
      *statistics.factors(in_.size, block_.batch, block_.head + h) = factors_[h];
    }
  }

  /// sign · scale · q·k
  void score() {
    const Vector<T> scale(in_.sharpness < 0 ? -in_.scale : in_.scale);
    for (Index r = 0; r < keys_; r += kLanes<T>) {
      const T* keys = in_.key(block_.batch, block_.head, block_.key_begin + r);
      const Index count = std::min(kLanes<T>, keys_ - r);
      for (Index h = 0; h < heads_; ++h) {
        const T* query = in_.query(block_.batch, block_.head + h, 0);
        const Vector<T> products = score_keys(query, keys, in_.k.row_stride, count, in_.size.head_dim);
        (scale * products).store_aligned(scores(h) + r);
      }
    }
  }

  /// Adds sign · mask; lanes behind the last key repeat it.
  void mask(T* scores) const {
    const T sign = in_.sharpness < 0 ? T{-1} : T{1};
    constexpr T lowest = std::numeric_limits<T>::lowest();
    if (in_.mask.key_valid != nullptr) {
      const std::int32_t* valid = in_.mask.key_valid + block_.batch * in_.size.keys + block_.key_begin;
      for (Index r = 0; r < keys_; ++r) scores[r] += valid[r] != 0 ? T{0} : sign * lowest;
    }
    if (in_.mask.additive != nullptr) {
      const T* added = in_.mask.additive + block_.batch * in_.mask.additive_batch_stride + block_.key_begin;
      for (Index r = 0; r < keys_; ++r) scores[r] += sign * std::max(added[r], lowest);
    }
    std::fill(scores + keys_, scores + whole_vectors<T>(keys_), scores[keys_ - 1]);
  }

  T find_peak(const T* scores) const {
    Vector<T> peaks = Vector<T>::load_aligned(scores);
    for (Index r = kLanes<T>; r < keys_; r += kLanes<T>) peaks = max(peaks, Vector<T>::load_aligned(scores + r));
    return max_lanes(peaks);
  }

  T exponentiate(T peak, T* scores) const {
    const Vector<T> sharpness(std::abs(in_.sharpness));
    for (Index r = 0; r < keys_; r += kLanes<T>) {
      kernels::exp(sharpness * (Vector<T>::load_aligned(scores + r) - Vector<T>(peak))).store_aligned(scores + r);
    }
    std::fill(scores + keys_, scores + whole_vectors<T>(keys_), T{0});
    Vector<T> sum(T(0));
    for (Index r = 0; r < keys_; r += kLanes<T>) sum = sum + Vector<T>::load_aligned(scores + r);
    return sum_lanes(sum);
  }

  void mix(AttentionRows<T> out) const {
    const Index features = in_.size.value_dim;
    const auto row = [&](Index h) { return out.at(block_.batch, 0, (block_.head + h) * features); };
    const Index step = in_.size.group() > 1 ? kLanes<T> : keys_;  // nobody else waits for the values of a head alone
    for (Index r = 0; r < keys_; r += step) {
      const T* values = in_.value(block_.batch, block_.head, block_.key_begin + r);
      for (Index h = 0; h < heads_; ++h) mix_keys(scores(h) + r, values, std::min(step, keys_ - r), r > 0, row(h));
    }
    for (Index h = 0; h < heads_; ++h) {
      T* const y = row(h);
      for (Index c = 0; c < features; ++c) y[c] *= factors_[h];
    }
  }

  void mix_keys(const T* weights, const T* values, Index count, bool accumulate, T* out) const {
    const Index stride = in_.v.row_stride;
    const Index features = in_.size.value_dim;
    Index c = 0;
    for (; c + 4 * kLanes<T> <= features; c += 4 * kLanes<T>) {
      mix_values<4>(weights, values + c, stride, count, accumulate, out + c);
    }
    for (; c + kLanes<T> <= features; c += kLanes<T>) {
      mix_values<1>(weights, values + c, stride, count, accumulate, out + c);
    }
    if (c < features) mix_last_values(weights, values + c, stride, count, features - c, accumulate, out + c);
  }

  const AttentionInput<T>& in_;
  QueryBlock<T> block_;  ///< of the first head; the keys of the others are the same
  Index heads_;
  Index keys_;
  Index room_;
  T* scores_;  ///< [heads, room]
  T factors_[kMostHeads];
};

/// Whether there is one query a sequence.
template <class T>
bool is_decode(const AttentionInput<T>& in) {
  return in.size.queries == 1 && !in.dropout;
}

/// Calls body(group, batch * heads + head) for groups of heads that begin at `head`, on all threads. What a head gives does
/// not depend on the others of its group.
template <class T, class Body>
void for_each_decode_group(const AttentionInput<T>& in, Body&& body) {
  const Index cost = in.size.keys * (in.size.head_dim + in.size.value_dim);
  const Index grain = std::max<Index>(1, 30'000 / std::max<Index>(1, cost));
  parallel_for(in.size.batch * in.size.heads, grain, [&](Index begin, Index end) {
    for (Index at = begin; at < end;) {
      const Index head = at % in.size.heads;
      const Index same_keys = in.size.group() - head % in.size.group();
      const Index heads = std::min({end - at, same_keys, DecodeGroup<T>::kMostHeads});
      DecodeGroup<T> group(in, at / in.size.heads, head, heads);
      body(group, at);
      at += heads;
    }
  });
}

}  // namespace detail

/// `attention_forward` for one query a sequence; heads run on different threads.
template <class T>
void attention_decode(const AttentionInput<T>& in, AttentionRows<T> out, AttentionStatistics<T> statistics = {}) {
  detail::for_each_decode_group(in, [&](detail::DecodeGroup<T>& group, Index) { group.run(out, statistics); });
}

}  // namespace weft::kernels
