// SPDX-License-Identifier: Apache-2.0
/// \file
/// Softmax attention by its definition, one score at a time: what the fast kernels are compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "weft/ops/attention/attention_input.hpp"

namespace weft::kernels {

/// One row of the attention matrix.
template <class T>
struct NaiveAttentionRow {
  std::vector<T> scores;   ///< scale · q·k + mask, for every key
  std::vector<bool> seen;  ///< false for keys that are skipped
  std::vector<T> weights;  ///< 0 for keys that are skipped
  std::vector<T> kept;     ///< what dropout multiplies them with: 0 or 1 / (1 - p); 1 without dropout
  T peak;                  ///< the score with the largest sharpness · score
};

/// Score of query i and key j with its mask added.
template <class T>
T attention_score_naive(const AttentionInput<T>& in, Index batch, Index head, Index i, Index j) {
  const T* query = in.query(batch, head, i);
  const T* key = in.key(batch, head, j);
  T score = 0;
  for (Index c = 0; c < in.size.head_dim; ++c) score += query[c] * key[c];
  score *= in.scale;
  constexpr T lowest = std::numeric_limits<T>::lowest();
  const bool padded = in.mask.key_valid != nullptr && in.mask.key_valid[batch * in.size.keys + j] == 0;
  const bool later = in.mask.causal && !in.mask.skips_later_keys(in.sharpness) && j > in.size.offset() + i;
  if (padded || later) score += lowest;
  if (in.mask.additive != nullptr) {
    score +=
        std::max(in.mask.additive[batch * in.mask.additive_batch_stride + i * in.mask.additive_row_stride + j], lowest);
  }
  return score;
}

/// w[i, :] = softmaxⱼ(sharpness · score[i, j])
template <class T>
NaiveAttentionRow<T> attention_row_naive(const AttentionInput<T>& in, Index batch, Index head, Index i) {
  const auto keys = static_cast<std::size_t>(in.size.keys);
  NaiveAttentionRow<T> row{std::vector<T>(keys), std::vector<bool>(keys), std::vector<T>(keys), std::vector<T>(keys, 1),
                           0};
  bool first = true;
  for (std::size_t j = 0; j < keys; ++j) {
    row.scores[j] = attention_score_naive(in, batch, head, i, static_cast<Index>(j));
    row.seen[j] = !in.mask.skips_later_keys(in.sharpness) || static_cast<Index>(j) <= in.size.offset() + i;
    if (in.mask.first_key != nullptr && static_cast<Index>(j) < in.mask.first_key[batch * in.size.queries + i]) {
      row.seen[j] = false;
    }
    if (!row.seen[j]) continue;
    const bool higher = in.sharpness < 0 ? row.scores[j] < row.peak : row.scores[j] > row.peak;
    if (first || higher) row.peak = row.scores[j];
    first = false;
  }
  T sum = 0;
  for (std::size_t j = 0; j < keys; ++j) {
    if (row.seen[j]) row.weights[j] = std::exp(in.sharpness * (row.scores[j] - row.peak));
    sum += row.weights[j];
  }
  for (T& weight : row.weights) weight /= sum;
  for (std::size_t j = 0; in.dropout && j < keys; ++j) {
    const Index word =
        dropout_word(in.size, batch, head, i / kDropoutQueries, static_cast<Index>(j)) + i % kDropoutQueries;
    const auto drawn = in.dropout->rng.words(static_cast<std::uint64_t>(word / 4))[static_cast<std::size_t>(word % 4)];
    row.kept[j] = (drawn >> 8) >= in.dropout->threshold ? static_cast<T>(in.dropout->scale) : T{0};
  }
  return row;
}

/// Dense weights [batch, heads, queries, keys].
template <class T>
void attention_weights_naive(const AttentionInput<T>& in, T* weights) {
  for (Index b = 0; b < in.size.batch; ++b) {
    for (Index n = 0; n < in.size.heads; ++n) {
      for (Index i = 0; i < in.size.queries; ++i) {
        const auto row = attention_row_naive(in, b, n, i);
        for (std::size_t j = 0; j < row.weights.size(); ++j) *weights++ = row.weights[j] * row.kept[j];
      }
    }
  }
}

/// out[b, i, n, :] = Σⱼ w[b, n, i, j] v[b, j, n / group, :]
template <class T>
void attention_forward_naive(const AttentionInput<T>& in, AttentionRows<T> out) {
  for (Index b = 0; b < in.size.batch; ++b) {
    for (Index n = 0; n < in.size.heads; ++n) {
      for (Index i = 0; i < in.size.queries; ++i) {
        const auto row = attention_row_naive(in, b, n, i);
        for (Index c = 0; c < in.size.value_dim; ++c) {
          T sum = 0;
          for (Index j = 0; j < in.size.keys; ++j) {
            sum +=
                row.weights[static_cast<std::size_t>(j)] * row.kept[static_cast<std::size_t>(j)] * in.value(b, n, j)[c];
          }
          out.at(b, i, n * in.size.value_dim)[c] = sum;
        }
      }
    }
  }
}

namespace detail {

/// Clears what is to be overwritten, so that everything below can add.
template <class T>
void clear_unless_accumulating(const AttentionGradientRows<T>& gradient, Index batch, Index rows, Index features) {
  if (!gradient || gradient.accumulate) return;
  for (Index b = 0; b < batch; ++b) {
    for (Index i = 0; i < rows; ++i) std::fill_n(gradient.rows.at(b, i, 0), features, T{0});
  }
}

/// Adds what one row of weights contributes, given d weights (of the weights after dropout): with x = sharpness · score,
/// dx = w (dw - Σ w dw), dq += sharpness scale dx k, dk += sharpness scale dx q, d sharpness += dx (score - peak): the
/// peak may be subtracted because the dx of a row add up to 0. Keys masked with the smallest number do not count.
template <class T>
void attention_row_backward_naive(const AttentionInput<T>& in, const NaiveAttentionRow<T>& row,
                                  const std::vector<T>& d_weights, const AttentionGradients<T>& gradients, Index batch,
                                  Index head, Index i) {
  const Index feature = head * in.size.head_dim;
  const Index kv_feature = head / in.size.group() * in.size.head_dim;
  T mean = 0;
  for (std::size_t j = 0; j < d_weights.size(); ++j) mean += row.weights[j] * row.kept[j] * d_weights[j];
  for (Index j = 0; j < in.size.keys; ++j) {
    const auto at = static_cast<std::size_t>(j);
    const T dx = row.weights[at] * (row.kept[at] * d_weights[at] - mean);
    const T distance = std::abs(row.scores[at] - row.peak);
    const bool masked = distance >= std::numeric_limits<T>::max() / 2;
    if (gradients.d_sharpness != nullptr && !masked) *gradients.d_sharpness += dx * (row.scores[at] - row.peak);
    const T d_product = in.sharpness * in.scale * dx;
    for (Index c = 0; c < in.size.head_dim; ++c) {
      if (gradients.dq) gradients.dq.rows.at(batch, i, feature)[c] += d_product * in.key(batch, head, j)[c];
      if (gradients.dk) gradients.dk.rows.at(batch, j, kv_feature)[c] += d_product * in.query(batch, head, i)[c];
    }
  }
}

template <class T>
void clear_attention_gradients(const AttentionSize& size, const AttentionGradients<T>& gradients) {
  clear_unless_accumulating(gradients.dq, size.batch, size.queries, size.heads * size.head_dim);
  clear_unless_accumulating(gradients.dk, size.batch, size.keys, size.kv_heads * size.head_dim);
  clear_unless_accumulating(gradients.dv, size.batch, size.keys, size.kv_heads * size.value_dim);
  if (gradients.d_sharpness != nullptr && !gradients.accumulate_sharpness) *gradients.d_sharpness = 0;
}

}  // namespace detail

/// Derivatives of `attention_forward_naive`.
template <class T>
void attention_backward_naive(const AttentionInput<T>& in, AttentionRows<const T> d_out_rows,
                              const AttentionGradients<T>& gradients) {
  detail::clear_attention_gradients(in.size, gradients);
  std::vector<T> d_weights(static_cast<std::size_t>(in.size.keys));
  for (Index b = 0; b < in.size.batch; ++b) {
    for (Index n = 0; n < in.size.heads; ++n) {
      for (Index i = 0; i < in.size.queries; ++i) {
        const auto row = attention_row_naive(in, b, n, i);
        const T* d_out = d_out_rows.at(b, i, n * in.size.value_dim);
        for (Index j = 0; j < in.size.keys; ++j) {
          T& d_weight = d_weights[static_cast<std::size_t>(j)] = 0;
          for (Index c = 0; c < in.size.value_dim; ++c) {
            d_weight += d_out[c] * in.value(b, n, j)[c];
            if (gradients.dv) {
              gradients.dv.rows.at(b, j, n / in.size.group() * in.size.value_dim)[c] +=
                  row.weights[static_cast<std::size_t>(j)] * row.kept[static_cast<std::size_t>(j)] * d_out[c];
            }
          }
        }
        detail::attention_row_backward_naive(in, row, d_weights, gradients, b, n, i);
      }
    }
  }
}

/// Derivatives of `attention_weights_naive`, given d weights [batch, heads, queries, keys].
template <class T>
void attention_weights_backward_naive(const AttentionInput<T>& in, const T* d_weights,
                                      const AttentionGradients<T>& gradients) {
  detail::clear_attention_gradients(in.size, gradients);
  for (Index b = 0; b < in.size.batch; ++b) {
    for (Index n = 0; n < in.size.heads; ++n) {
      for (Index i = 0; i < in.size.queries; ++i, d_weights += in.size.keys) {
        detail::attention_row_backward_naive(in, attention_row_naive(in, b, n, i),
                                             std::vector<T>(d_weights, d_weights + in.size.keys), gradients, b, n, i);
      }
    }
  }
}

}  // namespace weft::kernels
