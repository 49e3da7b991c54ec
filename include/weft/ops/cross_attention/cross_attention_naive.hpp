// SPDX-License-Identifier: Apache-2.0
/// \file
/// Cross attention by its definition, with every weight and every mask value in an array: what the fast kernels are
/// compared with. Dropout is left out.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "weft/ops/cross_attention/cross_attention_input.hpp"

namespace weft::kernels {

/// Whether a key exists for a query at all.
template <class T>
bool key_exists_naive(const CrossAttentionInput<T>& in, Index i, Index j) {
  if (in.mask.groups == KeyGroups::only_of_query) return j / in.mask.group_size == i;
  if (in.mask.groups == KeyGroups::until_query) return j <= i / in.mask.group_size;
  // The causal fill of -1e9 is as good as no key, unless an added mask may be as large, or every other key is filled.
  return !in.mask.causal || in.mask.tokens.additive != nullptr || in.mask.fill.given() || j <= i ||
         in.mixing.kind == SuppliedWeights::dense;
}

/// Whether the fill covers a pair.
template <class T>
bool is_filled_naive(const CrossAttentionMask<T>& mask, Index b, Index h, Index i, Index j) {
  return (mask.causal && j > i) || (mask.fill.given() && mask.fill.row(b, h, i)[j] != 0);
}

/// softmax of one row of scores
template <class T>
std::vector<T> softmax_weights_naive(const CrossAttentionInput<T>& in, Index b, Index h, Index i) {
  const Index keys = in.size.keys_of(b);
  std::vector<T> scores(static_cast<std::size_t>(keys));
  T peak = -std::numeric_limits<T>::infinity();
  for (Index j = 0; j < keys; ++j) {
    T score = 0;
    for (Index c = 0; c < in.size.head_dim; ++c) score += in.query(b, h, i)[c] * in.key(b, h, j)[c];
    score *= in.scale;
    const bool filled = is_filled_naive(in.mask, b, h, i, j);
    if (filled && in.mask.order == FillOrder::fill_then_mask) score = in.mask.penalty;
    score += added_mask(in.mask, b, i, j);
    if (filled && in.mask.order == FillOrder::mask_then_fill) score = in.mask.penalty;
    if (!key_exists_naive(in, i, j)) score = -std::numeric_limits<T>::infinity();
    scores[static_cast<std::size_t>(j)] = score;
    peak = std::max(peak, score);
  }
  T sum = 0;
  for (T& score : scores) sum += score = std::isinf(peak) ? T{0} : std::exp(score - peak);
  for (T& score : scores) score = sum > 0 ? score / sum : T{0};
  return scores;
}

/// The supplied weight of a pair; bilinear by the formula for the middles of cells.
template <class T>
T supplied_weight_naive(const CrossAttentionInput<T>& in, Index b, Index h, Index i, Index j) {
  const CrossAttentionMixing<T>& mixing = in.mixing;
  const Index pair = b * in.size.heads + h;
  if (mixing.kind == SuppliedWeights::dense) return mixing.weights[(pair * in.size.queries + i) * in.size.keys + j];
  if (j > i || (mixing.visible.dense() && !(mixing.visible.at(b, i, j) > T(-1e5)))) return 0;
  if (mixing.kind == SuppliedWeights::ones) return 1;
  const T* cells = mixing.weights + pair * mixing.extent * mixing.extent;
  const Index n = mixing.extent, size = mixing.group_size;
  const Index used = in.size.key_texts ? (in.size.keys_of(b) + size - 1) / size : n;
  if (mixing.kind == SuppliedWeights::nearest) return cells[i / size * n + j / size];
  T sum = 0;
  for (Index r = 0; r < used; ++r) {
    for (Index c = 0; c < used; ++c) {
      const auto share = [&](Index position, Index cell) {  // a hat around the middle of the cell, level at the ends
        const double x = std::clamp((static_cast<double>(position) + 0.5) / static_cast<double>(size) - 0.5, 0.0,
                                    static_cast<double>(used - 1));
        return static_cast<T>(std::max(0.0, 1 - std::abs(x - static_cast<double>(cell))));
      };
      sum += share(i, r) * share(j, c) * cells[r * n + c];
    }
  }
  return sum;
}

/// Dense weights [batch, heads, queries, keys], 0 where a packed text has ended.
template <class T>
void cross_attention_weights_naive(const CrossAttentionInput<T>& in, T* weights) {
  const T m = in.mixing.mix;
  for (Index b = 0; b < in.size.batch; ++b) {
    for (Index h = 0; h < in.size.heads; ++h) {
      std::fill_n(weights, in.size.queries * in.size.keys, T{0});
      for (Index i = 0; i < in.size.queries; ++i, weights += in.size.keys) {
        if (i >= in.size.queries_of(b)) continue;
        const auto local = softmax_weights_naive(in, b, h, i);
        T sum = 0;
        for (Index j = 0; j < in.size.keys_of(b); ++j) {
          weights[j] = local[static_cast<std::size_t>(j)];
          if (!in.mixing.given()) continue;
          const T supplied = supplied_weight_naive(in, b, h, i, j);
          weights[j] = in.mixing.local() ? m * weights[j] + (1 - m) * supplied : supplied;
          sum += weights[j];
        }
        if (!in.mixing.given() || !in.mixing.local()) continue;
        for (Index j = 0; j < in.size.keys_of(b); ++j) {
          weights[j] = is_filled_naive(in.mask, b, h, i, j) ? T{0} : weights[j] / (sum + T(1e-9));
        }
      }
    }
  }
}

/// out[b, i, h, :] = Σⱼ a[b, h, i, j] v[b, j, h, :], 0 for tokens that ask nothing
template <class T>
void cross_attention_naive(const CrossAttentionInput<T>& in, T* out) {
  const CrossAttentionSize& size = in.size;
  std::vector<T> weights(static_cast<std::size_t>(size.batch * size.heads * size.queries * size.keys));
  cross_attention_weights_naive(in, weights.data());
  const T* row = weights.data();
  for (Index b = 0; b < size.batch; ++b) {
    for (Index h = 0; h < size.heads; ++h) {
      const Index before = std::min(size.skipped, size.query_texts.length(b, size.queries));
      for (Index t = 0; t < before; ++t) {
        std::fill_n(out + in.at(size.result_row(b) - size.skipped + t, h), size.head_dim, T{0});
      }
      for (Index i = 0; i < size.queries; ++i, row += size.keys) {
        if (i >= size.queries_of(b)) continue;
        for (Index c = 0; c < size.head_dim; ++c) {
          T sum = 0;
          for (Index j = 0; j < size.keys_of(b); ++j) sum += row[j] * in.value(b, h, j)[c];
          out[in.at(size.result_row(b) + i, h) + c] = sum;
        }
      }
    }
  }
}

}  // namespace weft::kernels
