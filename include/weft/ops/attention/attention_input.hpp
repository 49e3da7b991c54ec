// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the attention kernels are told: extents, where rows lie, and who may look at whom.
#pragma once

#include <optional>

#include "weft/ops/dropout/dropout_mask.hpp"
#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// The extents of softmax attention. Query i stands at key position keys - queries + i: with a cache the queries are the
/// last of the keys. `heads / kv_heads` query heads share one head of keys and values.
struct AttentionSize {
  Index batch = 0;
  Index heads = 0;
  Index kv_heads = 0;
  Index queries = 0;
  Index keys = 0;
  Index head_dim = 0;
  Index value_dim = 0;

  Index group() const { return heads / kv_heads; }
  /// The position of query 0 among the keys.
  Index offset() const { return keys - queries; }
};

/// Rows [batch, position] as projections leave them: the features of all heads lie side by side in a row.
template <class T>
struct AttentionRows {
  T* data = nullptr;
  Index batch_stride = 0;
  Index row_stride = 0;

  T* at(Index batch, Index position, Index feature) const {
    return data + batch * batch_stride + position * row_stride + feature;
  }
};

/// Above this, sharpness times the distance to the smallest number of T makes a weight exactly 0.
template <class T>
inline constexpr T kDecisiveSharpness = T(1e-30);

/// Which keys a query sees.
///
/// causal alone         keys after the query are skipped. A sharpness that is not positive turns a mask round (quirk A11):
///                      then the smallest number of T is added to their scores, as by key_valid.
/// key_valid            [batch, keys], 0 where a key is padding. As in Hugging Face's eager attention the smallest number
///                      of T is added to the score of every padded key and, when causal, of every later key: a query
///                      that sees no key at all looks at all keys alike, later ones included.
/// additive             [batch, queries, keys], added to the scores in T, so that a large negative number absorbs the
///                      score. -inf counts as the smallest number of T. When causal, later keys are skipped.
/// first_key            [batch, queries], rising along the queries: keys before it do not exist either. For sequences that are
///                      packed into one row, the first key of a query's own sequence. Needs causal, excludes key_valid.
template <class T>
struct AttentionMask {
  bool causal = false;
  const std::int32_t* key_valid = nullptr;
  const T* additive = nullptr;
  Index additive_batch_stride = 0;
  Index additive_row_stride = 0;
  const std::int32_t* first_key = nullptr;

  /// Whether later keys are skipped, whatever the scores.
  bool skips_later_keys(T sharpness) const {
    const bool alone = key_valid == nullptr && first_key == nullptr && additive == nullptr;
    return causal && key_valid == nullptr && (!alone || sharpness > kDecisiveSharpness<T>);
  }
};

/// Weights w = softmaxⱼ(sharpness · (scale · q·k + mask)), each kept and scaled or dropped where there is a dropout mask.
template <class T>
struct AttentionInput {
  AttentionSize size;
  AttentionRows<const T> q;  ///< [batch, queries], heads * head_dim features
  AttentionRows<const T> k;  ///< [batch, keys], kv_heads * head_dim features
  AttentionRows<const T> v;  ///< [batch, keys], kv_heads * value_dim features
  AttentionMask<T> mask;
  T scale = 1;
  T sharpness = 1;
  std::optional<DropoutMask> dropout = {};

  /// Keys that there is memory for: in a cache more than there are. Scratch for all of them never grows while decoding.
  Index key_room() const { return k.row_stride > 0 ? std::max(size.keys, k.batch_stride / k.row_stride) : size.keys; }

  const T* query(Index batch, Index head, Index i) const { return q.at(batch, i, head * size.head_dim); }
  const T* key(Index batch, Index head, Index j) const { return k.at(batch, j, head / size.group() * size.head_dim); }
  const T* value(Index batch, Index head, Index j) const {
    return v.at(batch, j, head / size.group() * size.value_dim);
  }
};

/// Queries whose weights for one key draw from neighbouring random words: the kernels work on as many at a time.
inline constexpr Index kDropoutQueries = 64;

/// The random word that decides on the weights of one key and the queries from `block` * kDropoutQueries on.
inline Index dropout_word(const AttentionSize& size, Index batch, Index head, Index block, Index key) {
  const Index blocks = (size.queries + kDropoutQueries - 1) / kDropoutQueries;
  return (((batch * size.heads + head) * blocks + block) * size.keys + key) * kDropoutQueries;
}

/// Where the gradient of q, k or v goes. Null data: not wanted.
template <class T>
struct AttentionGradientRows {
  AttentionRows<T> rows;
  bool accumulate = false;

  explicit operator bool() const { return rows.data != nullptr; }
};

/// What backward owes. When rows of dq, dk and dv share memory (one tensor in two roles), the
/// earlier of them in this list may overwrite and the later ones accumulate.
template <class T>
struct AttentionGradients {
  AttentionGradientRows<T> dq;
  AttentionGradientRows<T> dk;
  AttentionGradientRows<T> dv;
  T* d_sharpness = nullptr;
  bool accumulate_sharpness = false;
  double sharpness_factor = 1;  ///< multiplies d sharpness: the constant part of a product that the sharpness is
};

/// What forward leaves for backward: two numbers a row, [batch, heads, 2, queries]. First the peak, the score whose weight
/// is largest, times the sign of the sharpness; then 1 / Σⱼ exp(sharpness · (score - peak)). Subtracting before sharpening
/// keeps scores at the end of T's range from overflowing: no row of weights is ever NaN.
template <class T>
struct AttentionStatistics {
  T* data = nullptr;

  T* peaks(const AttentionSize& size, Index batch, Index head) const {
    return data + (batch * size.heads + head) * 2 * size.queries;
  }
  T* factors(const AttentionSize& size, Index batch, Index head) const {
    return peaks(size, batch, head) + size.queries;
  }
};

/// Elements that `AttentionStatistics` needs.
inline Index attention_statistics_size(const AttentionSize& size) { return size.batch * size.heads * 2 * size.queries; }

}  // namespace weft::kernels
