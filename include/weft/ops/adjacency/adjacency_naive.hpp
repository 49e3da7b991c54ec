// SPDX-License-Identifier: Apache-2.0
/// \file
/// Processed adjacencies by their definition, one entry at a time.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "weft/ops/adjacency/adjacency_input.hpp"

namespace weft::kernels {

/// An elementwise threshold mode at one entry, without the causal cut.
template <class T>
T threshold_naive(const ThresholdOptions& options, T t, T a) {
  const auto sigmoid = [](T x) { return 1 / (1 + std::exp(-x)); };
  const auto softplus = [](T x) { return x > 20 ? x : std::log1p(std::exp(x)); };
  const T x = a - t;
  const T silu = x * sigmoid(x);
  const T beta = static_cast<T>(options.softplus_beta);
  switch (options.mode) {
    case ThresholdMode::silu:
      return silu;
    case ThresholdMode::relu:
      return std::max(x, T{0});
    case ThresholdMode::softplus:
      return softplus(x);
    case ThresholdMode::sharp_softplus:
      return softplus(beta * x) / beta;
    case ThresholdMode::sigmoid_elementwise:
      return sigmoid(static_cast<T>(options.sigmoid_beta) * x);
    case ThresholdMode::flowthreshold:
      return sigmoid(5 * a) * sigmoid(50 * x);
    case ThresholdMode::binary:
    case ThresholdMode::relu_below_binary_above:
      return a > t ? 1 : 0;
    case ThresholdMode::silu_plus_binary:
      return silu + (a > t ? static_cast<T>(options.binary_scale) : 0);
    case ThresholdMode::silu_below_binary_above:
      return a > t ? 1 : silu;
    case ThresholdMode::softplus_below_binary_above:
      return a > t ? 1 : softplus(x);
    case ThresholdMode::none:
    case ThresholdMode::top_k:
    case ThresholdMode::scaled_topk_causal_4d:
      break;
  }
  return a;
}

/// A row of a processed adjacency that stands at `position` among its keys. Ties of the top-k modes go to the lowest index.
template <class T>
std::vector<T> threshold_row_naive(const ThresholdOptions& options, T t, const std::vector<T>& a, Index position) {
  if (options.mode == ThresholdMode::none) return a;
  const auto keys = static_cast<Index>(a.size());
  std::vector<T> p(a.size(), T{0});
  const auto take_largest = [&](std::vector<T> values, Index k) {
    std::vector<Index> order(values.size());
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(), [&](Index i, Index j) {
      return values[static_cast<std::size_t>(i)] > values[static_cast<std::size_t>(j)];
    });
    for (Index i = 0; i < k; ++i) p[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = 1;
  };
  if (options.mode == ThresholdMode::top_k) {
    take_largest(a, std::max<Index>(1, static_cast<Index>(options.top_k_fraction * static_cast<double>(keys))));
  } else if (options.mode == ThresholdMode::scaled_topk_causal_4d) {
    std::vector<T> before(a.begin(), a.begin() + std::min(position, keys));
    for (T& value : before) value = value >= t ? value : 0;
    if (!before.empty()) {
      const double share = options.top_k_fraction * static_cast<double>(before.size());
      take_largest(before, std::max<Index>(1, static_cast<Index>(std::ceil(share))));
    }
    for (std::size_t j = 0; j < p.size(); ++j) {
      if (options.drop_below_threshold && a[j] < t) p[j] = 0;
    }
  } else {
    for (std::size_t j = 0; j < p.size(); ++j) p[j] = threshold_naive(options, t, a[j]);
  }
  for (Index j = position + 1; j < keys; ++j) p[static_cast<std::size_t>(j)] = 0;
  return p;
}

/// One row of the adjacency: the weights, and what the mode makes of them.
template <class T>
struct NaiveAdjacencyRow {
  std::vector<T> a;
  std::vector<T> p;
};

namespace detail {

/// Scores of a query, what the masks add to them, and which keys are masked; keys before the query's first one do not exist.
/// Later keys, where causal, are masked by the smallest number (or `in.later`), as a model's mask has it.
template <class T>
struct NaiveScores {
  NaiveScores(const AdjacencyInput<T>& in, Index batch, Index head, Index i) {
    const AttentionMask<T>& mask = in.attention.mask;
    begin = mask.first_key != nullptr ? mask.first_key[batch * in.size().queries + i] : 0;
    position = in.size().offset() + i - begin;
    for (Index key = begin; key < in.size().keys; ++key) {
      T dot = 0;
      for (Index c = 0; c < in.size().head_dim; ++c) {
        dot += in.attention.query(batch, head, i)[c] * in.attention.key(batch, head, key)[c];
      }
      T penalty = 0;
      if (mask.additive != nullptr) {
        penalty = mask.additive[batch * mask.additive_batch_stride + i * mask.additive_row_stride + key];
      }
      if (mask.key_valid != nullptr && mask.key_valid[batch * in.size().keys + key] == 0) penalty = lowest;
      if (mask.causal && key - begin > position) penalty = std::min(penalty, in.later);
      scores.push_back(in.attention.scale * dot);
      added.push_back(std::max(penalty, lowest));
      masked.push_back(penalty <= T(-1e9));
      const bool skips = mask.skips_later_keys(in.attention.sharpness) ||
                         (in.rules.mask_after_scaling && mask.causal && mask.key_valid == nullptr);
      skipped.push_back(skips && key - begin > position);
    }
  }

  static constexpr T lowest = std::numeric_limits<T>::lowest();
  Index begin;     ///< the first key
  Index position;  ///< of the query among the keys, from the first one on
  std::vector<T> scores;
  std::vector<T> added;
  std::vector<bool> masked;
  std::vector<bool> skipped;
};

/// The softmax of sharpened scores, masked before or after that.
template <class T>
std::vector<T> naive_softmax_row(const AdjacencyInput<T>& in, const NaiveScores<T>& row) {
  constexpr T nothing = -std::numeric_limits<T>::infinity();
  const bool after = in.rules.mask_after_scaling;
  const T factor = in.attention.sharpness;
  std::vector<T> a(row.scores.size());
  T peak = nothing;
  for (std::size_t j = 0; j < a.size(); ++j) {
    // A factor that overflowed the mask would end at infinity; its sign decides which end of the scores wins.
    a[j] = after ? factor * row.scores[j] + row.added[j] : std::max(row.scores[j] + row.added[j], row.lowest);
    if (!after && factor < 0) a[j] = -a[j];
    if (after && row.masked[j]) a[j] = nothing;
    if (!row.skipped[j]) peak = std::max(peak, a[j]);
  }
  T sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) {
    const T above = row.skipped[j] || std::isinf(a[j]) ? nothing : a[j] - peak;
    a[j] = std::isinf(above) ? 0 : std::exp(after ? above : std::abs(factor) * above);
    sum += a[j];
  }
  for (T& weight : a) weight = sum > 0 ? weight / sum : 0;
  return a;
}

/// The masked scores themselves, or their positive part.
template <class T>
std::vector<T> naive_score_row(const AdjacencyInput<T>& in, const NaiveScores<T>& row) {
  std::vector<T> a(row.scores.size());
  for (std::size_t j = 0; j < a.size(); ++j) {
    a[j] = std::max(row.scores[j] + row.added[j], row.lowest);
    if (in.rules.weights == AdjacencyWeights::relu) a[j] = std::max(a[j], T{0});
  }
  return a;
}

}  // namespace detail

/// Row i of a head, zeros for keys that do not exist.
template <class T>
NaiveAdjacencyRow<T> adjacency_row_naive(const AdjacencyInput<T>& in, Index batch, Index head, Index i) {
  const detail::NaiveScores<T> scores(in, batch, head, i);
  NaiveAdjacencyRow<T> row;
  row.a = in.rules.weights == AdjacencyWeights::softmax ? detail::naive_softmax_row(in, scores)
                                                        : detail::naive_score_row(in, scores);
  row.p = threshold_row_naive(in.rules.threshold, in.threshold, row.a, scores.position);
  if (in.rules.threshold.respects_mask && in.rules.threshold.mode != ThresholdMode::none) {
    for (std::size_t j = 0; j < row.p.size(); ++j) {
      if (scores.masked[j]) row.p[j] = 0;
    }
  }
  row.a.insert(row.a.begin(), static_cast<std::size_t>(scores.begin), T{0});
  row.p.insert(row.p.begin(), static_cast<std::size_t>(scores.begin), T{0});
  return row;
}

}  // namespace weft::kernels
