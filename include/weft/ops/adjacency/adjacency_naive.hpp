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

/// One row of the adjacency: the weights, what the mode makes of them, and which keys are masked.
template <class T>
struct NaiveAdjacencyRow {
  std::vector<T> a;
  std::vector<T> p;
};

/// Row i of a head. Keys before its first one do not exist. Later keys, where causal, are masked by the smallest number
/// (or `in.later`), as a model's mask has it.
template <class T>
NaiveAdjacencyRow<T> adjacency_row_naive(const AdjacencyInput<T>& in, Index batch, Index head, Index i) {
  const AttentionSize& size = in.size();
  const AttentionMask<T>& mask = in.attention.mask;
  const Index begin = mask.first_key != nullptr ? mask.first_key[batch * size.queries + i] : 0;
  const Index position = size.offset() + i - begin;  // counted from there, like the keys below
  constexpr T lowest = std::numeric_limits<T>::lowest();
  std::vector<T> scores;
  std::vector<T> added;
  std::vector<bool> masked;
  for (Index key = begin; key < size.keys; ++key) {
    T dot = 0;
    for (Index c = 0; c < size.head_dim; ++c) {
      dot += in.attention.query(batch, head, i)[c] * in.attention.key(batch, head, key)[c];
    }
    scores.push_back(in.attention.scale * dot);
    T penalty = 0;
    if (mask.additive != nullptr) {
      penalty = mask.additive[batch * mask.additive_batch_stride + i * mask.additive_row_stride + key];
    }
    if (mask.key_valid != nullptr && mask.key_valid[batch * size.keys + key] == 0) penalty = lowest;
    if (mask.causal && key - begin > position) penalty = std::min(penalty, in.later);
    added.push_back(std::max(penalty, lowest));
    masked.push_back(penalty <= T(-1e9));
  }
  NaiveAdjacencyRow<T> row{std::vector<T>(scores.size()), {}};
  const bool after = in.rules.mask_after_scaling;
  const T factor = in.attention.sharpness;
  T peak = -std::numeric_limits<T>::infinity();
  for (std::size_t j = 0; j < scores.size(); ++j) {
    // A factor that overflowed the mask would end at infinity; its sign decides which end of the scores wins.
    row.a[j] = after ? factor * scores[j] + added[j] : std::max(scores[j] + added[j], lowest);
    if (!after && factor < 0) row.a[j] = -row.a[j];
    if (after && masked[j]) row.a[j] = -std::numeric_limits<T>::infinity();
    if (mask.skips_later_keys() && static_cast<Index>(j) > position) continue;
    peak = std::max(peak, row.a[j]);
  }
  if (in.rules.weights == AdjacencyWeights::softmax) {
    T sum = 0;
    for (std::size_t j = 0; j < scores.size(); ++j) {
      const bool skipped = mask.skips_later_keys() && static_cast<Index>(j) > position;
      const T above = skipped || std::isinf(row.a[j]) ? -std::numeric_limits<T>::infinity() : row.a[j] - peak;
      row.a[j] = std::isinf(above) ? 0 : std::exp(after ? above : std::abs(factor) * above);
      sum += row.a[j];
    }
    for (T& weight : row.a) weight = sum > 0 ? weight / sum : 0;
  } else {
    for (std::size_t j = 0; j < scores.size(); ++j) {
      row.a[j] = std::max(scores[j] + added[j], lowest);
      if (in.rules.weights == AdjacencyWeights::relu) row.a[j] = std::max(row.a[j], T{0});
    }
  }
  row.p = threshold_row_naive(in.rules.threshold, in.threshold, row.a, position);
  if (in.rules.threshold.respects_mask && in.rules.threshold.mode != ThresholdMode::none) {
    for (std::size_t j = 0; j < masked.size(); ++j) {
      if (masked[j]) row.p[j] = 0;
    }
  }
  row.a.insert(row.a.begin(), static_cast<std::size_t>(begin), T{0});
  row.p.insert(row.p.begin(), static_cast<std::size_t>(begin), T{0});
  return row;
}

}  // namespace weft::kernels
