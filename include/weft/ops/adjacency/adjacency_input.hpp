// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the kernels on processed adjacencies are told.
#pragma once

#include <algorithm>
#include <limits>

#include "weft/autograd/gradient.hpp"
#include "weft/ops/adjacency/threshold_rows.hpp"
#include "weft/ops/attention/attention_input.hpp"

namespace weft {

/// What makes weights of masked scores.
enum class AdjacencyWeights {
  softmax,  ///< softmax(sharpness · scores)
  relu,     ///< max(scores, 0)
  raw       ///< the scores themselves
};

/// How an adjacency is made; the defaults are the reference's.
struct AdjacencyRules {
  AdjacencyWeights weights = AdjacencyWeights::softmax;
  ThresholdOptions threshold = {};

  /// softmax(sharpness · scores + mask), where masked keys have weight 0 exactly and a row that sees nothing is 0.
  /// Otherwise the mask is sharpened too, as in the reference: a negative factor turns it round (quirk A11), and such a
  /// row looks at all keys alike, where factors above 1 make it NaN in the reference (quirk A12).
  bool mask_after_scaling = false;
};

namespace kernels {

/// Additive masks from here down mean "masked" to the options that have to know.
template <class T>
inline constexpr T kMaskedFrom = T(-1e9);

/// Rows of queries of one head, worked on together.
inline constexpr Index kAdjacencyRows = 64;

/// The processed adjacency P = mode(a) with a = softmax(sharpness · (scale · q·k + mask)), or relu or raw scores.
/// `attention.v` is not looked at.
template <class T>
struct AdjacencyInput {
  AttentionInput<T> attention;
  AdjacencyRules rules;
  T threshold = 0;

  /// What a causal mask without a tensor adds to the score of a later key, where that key is not simply skipped.
  T later = std::numeric_limits<T>::lowest();

  const AttentionSize& size() const { return attention.size; }
};

/// Where gradients of q, k, the sharpness and the threshold go. Null data: not wanted. dq and dk have to hold something
/// already: kernels add.
template <class T>
struct AdjacencyGradients {
  AttentionRows<T> dq;
  AttentionRows<T> dk;
  bool wants_sharpness = false;  ///< whether `AdjacencySums::sharpness` is looked at
  bool wants_threshold = false;  ///< whether `AdjacencySums::threshold` is

  explicit operator bool() const {
    return dq.data != nullptr || dk.data != nullptr || wants_sharpness || wants_threshold;
  }
};

/// Gradients of numbers, gathered by one thread for a part of the work.
struct AdjacencySums {
  double sharpness = 0;
  double threshold = 0;
  double lambda = 0;  ///< of a differential adjacency

  AdjacencySums& operator+=(const AdjacencySums& other) {
    sharpness += other.sharpness;
    threshold += other.threshold;
    lambda += other.lambda;
    return *this;
  }
};

/// A block of queries of one head, and the keys that it needs.
struct AdjacencyBlock {
  Index batch = 0;
  Index head = 0;
  Index first = 0;                          ///< its first query
  Index count = 0;                          ///< its queries
  Index position = 0;                       ///< of its first query among the keys
  Index width = 0;                          ///< keys [0, width); the entries of later keys are 0 in a and in P
  bool skip_later = false;                  ///< keys after a query have no weight at all
  const std::int32_t* first_key = nullptr;  ///< of each row, or null: earlier keys have no weight at all

  AdjacencyRowsSize rows_size() const { return {count, width, position, first_key}; }
  /// The keys [begin, seen) that a row of the block sees, if others are skipped.
  Index begin(Index row) const { return first_key != nullptr ? std::min<Index>(first_key[row], seen(row)) : 0; }
  Index seen(Index row) const { return skip_later ? std::clamp<Index>(position + row + 1, 0, width) : width; }
};

/// Whether every query from `position` on sees some key that is no padding, if it looks back from there.
template <class T>
bool sees_valid_key(const AttentionMask<T>& mask, Index keys, Index batch, Index position) {
  if (mask.key_valid == nullptr) return true;
  const std::int32_t* valid = mask.key_valid + batch * keys;
  return std::any_of(valid, valid + std::min(position + 1, keys), [](std::int32_t v) { return v != 0; });
}

/// Decides which keys the queries from `first` on need. Skipping later keys is exact where a mask of the smallest number would
/// give them weight 0; a row that sees no key at all looks at all keys, later ones included. Raw scores that are not cut keep
/// their masked values; top_k counts all keys.
///
/// \param all_keys  take all keys in any case
template <class T>
AdjacencyBlock plan_adjacency_block(const AdjacencyInput<T>& in, Index batch, Index head, Index first,
                                    bool all_keys = false) {
  const AttentionSize& size = in.size();
  const AttentionMask<T>& mask = in.attention.mask;
  AdjacencyBlock block{batch,     head, first, std::min(kAdjacencyRows, size.queries - first), size.offset() + first,
                       size.keys, false};
  const ThresholdMode mode = in.rules.threshold.mode;
  if (mask.first_key != nullptr) block.first_key = mask.first_key + batch * size.queries + first;
  if (!mask.causal) return block;
  if (in.rules.weights != AdjacencyWeights::softmax) {
    block.skip_later = mode != ThresholdMode::none && mode != ThresholdMode::top_k;
  } else {
    block.skip_later =
        in.rules.mask_after_scaling || mask.skips_later_keys(in.attention.sharpness) ||
        (in.attention.sharpness > kDecisiveSharpness<T> && sees_valid_key(mask, size.keys, batch, block.position));
  }
  if (block.skip_later && !all_keys && mode != ThresholdMode::top_k) {
    block.width = std::clamp<Index>(block.position + block.count, 0, size.keys);
  }
  return block;
}

}  // namespace kernels

}  // namespace weft
