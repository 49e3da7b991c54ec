// SPDX-License-Identifier: Apache-2.0
/// \file
/// Blocks of scores [keys][queries]: products, masks, peaks and exponentials.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "weft/ops/attention/attention_tile.hpp"
#include "weft/ops/dropout/philox_vectors.hpp"
#include "weft/ops/elementwise/vector_math.hpp"

namespace weft::kernels::detail {

/// Some keys against one panel of a query block.
template <class T>
struct ScorePanel {
  Index key;      ///< its first key
  Index keys;     ///< its keys
  Index column;   ///< its first query within the block
  Index vectors;  ///< its queries, in vectors
  T* scores;      ///< scores[r * kQueryBlock + i] of key `key + r` and query `column + i`
};

/// The first keys of a panel, those that some query of one of its vectors needs.
template <class T>
Index keys_of_vector(const QueryBlock<T>& block, const ScorePanel<T>& panel, Index vector) {
  const Index end = block.key_end_before(panel.column + (vector + 1) * kLanes<T>);
  return std::clamp<Index>(end - panel.key, 0, panel.keys);
}

/// Products whose rows are the keys of a panel. Where keys are skipped the last ones meet fewer vectors of queries.
template <class T>
void multiply_keys(const QueryBlock<T>& block, const ScorePanel<T>& panel, TileInput<T> in, T* c) {
  Index done = 0;
  for (Index v = 0; v < panel.vectors; ++v) {
    const Index keys = keys_of_vector(block, panel, v) - done;
    if (keys > 0) multiply_rows(keys, panel.vectors - v, in, c, kQueryBlock, false, block.ahead);
    in.x += keys * in.x_row;
    in.y += kLanes<T>;
    c += keys * kQueryBlock + kLanes<T>;
    done += keys;
  }
}

/// Products that add up over the keys of a panel.
template <class T>
void reduce_keys(const QueryBlock<T>& block, const ScorePanel<T>& panel, Index rows, TileInput<T> in, T* c,
                 bool accumulate) {
  Index done = 0;
  for (Index v = 0; v < panel.vectors; ++v) {
    const Index keys = keys_of_vector(block, panel, v) - done;
    in.depth = keys;
    if (keys > 0) multiply_rows(rows, panel.vectors - v, in, c, kQueryBlock, accumulate || done > 0, block.ahead);
    in.x += keys * in.x_depth;
    in.y += keys * in.y_depth + kLanes<T>;
    c += kLanes<T>;
    done += keys;
  }
}

/// A negative sharpness turns softmax into one of negated scores. The sign goes into the queries and the masks, so that
/// everything else only knows a magnitude.
template <class T>
T sign_of(const AttentionInput<T>& in) {
  return in.sharpness < 0 ? T{-1} : T{1};
}

/// The lanes of vector `vector` (of a panel) whose query stands at or after the key.
template <class T>
auto not_later(const QueryBlock<T>& block, const ScorePanel<T>& panel, Index key, Index vector) {
  alignas(Vector<T>) static constexpr auto lanes = [] {
    std::array<T, static_cast<std::size_t>(kLanes<T>)> numbers{};
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<T>(i);
    return numbers;
  }();
  const Index ahead = key - block.position - panel.column - vector * kLanes<T>;
  return Vector<T>::load_aligned(lanes.data()) >= Vector<T>(static_cast<T>(ahead));
}

/// Adds the mask of padded and later keys to the scores of a panel, in T: large numbers absorb the scores.
template <class T>
void add_key_mask(const AttentionInput<T>& in, const QueryBlock<T>& block, const ScorePanel<T>& panel) {
  const std::int32_t* valid = in.mask.key_valid;
  if (valid != nullptr) valid += block.batch * in.size.keys + panel.key;
  const Vector<T> masked(sign_of(in) * std::numeric_limits<T>::lowest());
  for (Index r = 0; r < panel.keys; ++r) {
    T* row = panel.scores + r * kQueryBlock;
    const Vector<T> base = valid == nullptr || valid[r] != 0 ? Vector<T>(T(0)) : masked;
    for (Index v = 0; v < panel.vectors; ++v) {
      const Vector<T> mask = block.mask_later ? select(not_later(block, panel, panel.key + r, v), base, masked) : base;
      (Vector<T>::load_aligned(row + v * kLanes<T>) + mask).store_aligned(row + v * kLanes<T>);
    }
  }
}

template <class T>
void add_given_mask(const AttentionInput<T>& in, const QueryBlock<T>& block, const ScorePanel<T>& panel) {
  struct MaskBlock {};
  T* mask = thread_scratch<MaskBlock, T>(panel.keys * kQueryPanel<T> + kLanes<T>);
  const T* from = in.mask.additive + block.batch * in.mask.additive_batch_stride +
                  (block.first + panel.column) * in.mask.additive_row_stride + panel.key;
  const Index queries = std::min(panel.vectors * kLanes<T>, block.count - panel.column);
  pack(Strided<T>{from, in.mask.additive_row_stride, 1}, queries, panel.keys, mask, kQueryPanel<T>);
  const Vector<T> sign(sign_of(in));
  const Vector<T> lowest(std::numeric_limits<T>::lowest());
  for (Index r = 0; r < panel.keys; ++r) {
    for (Index v = 0; v < panel.vectors; ++v) {
      T* score = panel.scores + r * kQueryBlock + v * kLanes<T>;
      const Vector<T> added = max(lowest, Vector<T>::load_unaligned(mask + r * kQueryPanel<T> + v * kLanes<T>));
      (Vector<T>::load_aligned(score) + sign * added).store_aligned(score);
    }
  }
}

/// Signed masked scores: sign · (scale · k·q + mask). `queries` is what `transpose_queries` made with sign · scale.
template <class T>
void compute_scores(const AttentionInput<T>& in, const QueryBlock<T>& block, const ScorePanel<T>& panel,
                    const T* queries) {
  const auto product = tile_input(block.kv.keys + panel.key * block.kv.key_stride, block.kv.key_stride, 1,
                                  queries + panel.column, kQueryBlock, in.size.head_dim);
  multiply_keys(block, panel, product, panel.scores);
  if (in.mask.key_valid != nullptr || block.mask_later) add_key_mask(in, block, panel);
  if (in.mask.additive != nullptr) add_given_mask(in, block, panel);
}

/// Calls body(r, keep) for the keys that some query of one vector may see; keep(x, other) is x in the lanes whose query sees
/// key r of the panel and `other` elsewhere. Most keys are seen by the whole vector and need no comparison.
template <class T, class Body>
void for_each_key(const QueryBlock<T>& block, const ScorePanel<T>& panel, Index vector, Body&& body) {
  const Index keys = keys_of_vector(block, panel, vector);
  const Index at = panel.column + vector * kLanes<T>;
  Index begin = 0;  // keys [begin, end) are seen by the whole vector
  Index end = block.skip_later ? std::clamp<Index>(block.position + at + 1 - panel.key, 0, keys) : keys;
  Vector<T> first(T(0));
  if (block.first_key != nullptr) {
    alignas(64) T lanes[kLanes<T>];
    for (Index i = 0; i < kLanes<T>; ++i) {
      lanes[i] = static_cast<T>(block.first_key[std::min(at + i, block.count - 1)] - panel.key);
    }
    first = Vector<T>::load_aligned(lanes);
    begin = std::clamp<Index>(static_cast<Index>(lanes[kLanes<T> - 1]), 0, keys);
    end = std::max(begin, end);
  }
  const auto compared = [&](Index r) {
    const auto visible = not_later(block, panel, panel.key + r, vector) && first <= Vector<T>(static_cast<T>(r));
    body(r, [&](Vector<T> value, Vector<T> other) { return select(visible, value, other); });
  };
  for (Index r = 0; r < begin; ++r) compared(r);
  for (Index r = begin; r < end; ++r) body(r, [](Vector<T> value, Vector<T>) { return value; });
  for (Index r = end; r < keys; ++r) compared(r);
}

/// The larger of `peaks` and the panel's scores, for one vector of queries.
template <class T>
Vector<T> panel_peaks(const QueryBlock<T>& block, const ScorePanel<T>& panel, Index vector, Vector<T> peaks) {
  const T* scores = panel.scores + vector * kLanes<T>;
  for_each_key(block, panel, vector, [&](Index r, const auto& keep) {
    peaks = keep(max(peaks, Vector<T>::load_aligned(scores + r * kQueryBlock)), peaks);
  });
  return peaks;
}

/// Replaces the scores of one vector of queries by exp(sharpness · (score - peak)), 0 for skipped keys; returns their sum.
template <class T>
Vector<T> exponentiate(const AttentionInput<T>& in, const QueryBlock<T>& block, const ScorePanel<T>& panel,
                       Index vector, Vector<T> peaks) {
  T* scores = panel.scores + vector * kLanes<T>;
  const Vector<T> sharpness(std::abs(in.sharpness));
  const Vector<T> zero(T(0));
  Vector<T> sum = zero;
  for_each_key(block, panel, vector, [&](Index r, const auto& keep) {
    T* score = scores + r * kQueryBlock;
    const Vector<T> weight = keep(kernels::exp(sharpness * (Vector<T>::load_aligned(score) - peaks)), zero);
    weight.store_aligned(score);
    sum = sum + weight;
  });
  return sum;
}

/// Multiplies the entries of a panel (laid out like its scores) by what dropout makes of their weights: 0 or 1 / (1 - p).
template <class T>
void drop_weights(const AttentionInput<T>& in, const QueryBlock<T>& block, const ScorePanel<T>& panel, T* values) {
  static_assert(kQueryBlock == kDropoutQueries && kDropoutQueries == kPhiloxWords);
  const T scale = static_cast<T>(in.dropout->scale);
  for (Index r = 0; r < panel.keys; ++r) {
    std::uint32_t words[kPhiloxWords];
    philox_words(in.dropout->rng,
                 dropout_word(in.size, block.batch, block.head, block.first / kQueryBlock, panel.key + r), words);
    T* row = values + r * kQueryBlock;
    const std::uint32_t* own = words + panel.column;
    for (Index i = 0; i < panel.vectors * kLanes<T>; ++i) {
      row[i] = (own[i] >> 8) >= in.dropout->threshold ? row[i] * scale : T{0};
    }
  }
}

/// The panel of a block that begins at `column`, over the keys in [begin, end) that its queries see.
template <class T>
ScorePanel<T> panel_at(const QueryBlock<T>& block, Index column, Index begin, Index end, T* scores) {
  const Index width = std::min(kQueryPanel<T>, block.count - column);
  const Index stop = std::min(end, block.key_end_before(column + width));
  return {begin, std::max<Index>(0, stop - begin), column, (width + kLanes<T> - 1) / kLanes<T>, scores + column};
}

}  // namespace weft::kernels::detail
