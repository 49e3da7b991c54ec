// SPDX-License-Identifier: Apache-2.0
/// \file
/// One row of weights: scores to softmax, mixed with what is supplied, and the derivatives of these steps.
#pragma once

#include <algorithm>
#include <limits>

#include "weft/ops/cross_attention/cross_attention_input.hpp"
#include "weft/ops/dropout/philox_vectors.hpp"
#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/elementwise/vector_math.hpp"

namespace weft::kernels {

namespace detail {

/// Added to the sum of a mixed row before it divides.
inline constexpr double kMixingEpsilon = 1e-9;
/// Supplied weights of keys whose mask is not above this are 0.
inline constexpr double kHiddenBelow = -1e5;

/// Which row: its scores or weights are those of keys [range.begin, range.end).
struct RowPlace {
  Index batch;
  Index head;
  Index i;
  KeyRange range;

  Index count() const { return range.end - range.begin; }
  /// Elements of the range that belong to keys up to the query.
  Index until_query() const { return std::clamp<Index>(i + 1 - range.begin, 0, count()); }
};

/// Sets the elements of keys that the fill of a mask covers.
template <class T>
void fill_row(const CrossAttentionMask<T>& mask, const RowPlace& row, T* values, T value) {
  if (mask.causal) std::fill(values + row.until_query(), values + row.count(), value);
  if (!mask.fill.given()) return;
  const std::int32_t* pairs = mask.fill.row(row.batch, row.head, row.i) + row.range.begin;
  for (Index j = 0; j < row.count(); ++j) values[j] = pairs[j] != 0 ? value : values[j];
}

/// Applies masks and the fill to scaled scores.
template <class T>
void mask_scores(const CrossAttentionMask<T>& mask, const RowPlace& row, T* scores) {
  const bool adds = mask.tokens.given() || mask.groups == KeyGroups::of_query || mask.groups == KeyGroups::of_key;
  if (mask.order == FillOrder::fill_then_mask) fill_row(mask, row, scores, mask.penalty);
  if (adds) {
    for (Index j = 0; j < row.count(); ++j) scores[j] += added_mask(mask, row.batch, row.i, row.range.begin + j);
  }
  if (mask.order == FillOrder::mask_then_fill) fill_row(mask, row, scores, mask.penalty);
}

/// scores = exp(scores - max) / Σ exp(scores - max)
template <class T>
void softmax_row(Index count, T* scores) {
  const Vector<T> peak(row_max(count, scores));
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  const auto [sum] = row_sums<T, 1>(count, [&](Index j, auto access, auto& sums) {
    const auto terms = kernels::exp(access.load_or(scores + j, lowest) - peak);
    access.store(scores + j, terms);
    sums[0] += terms;
  });
  const Vector<T> factor(1 / sum);
  for_each_vector<T>(count, [&](Index j, auto access) { access.store(scores + j, access.load(scores + j) * factor); });
}

/// Position i of an upscaled axis as two cells and the share of the second.
template <class T>
struct CellPair {
  Index first;
  Index second;
  T share;

  CellPair(bool interpolates, Index i, Index group_size, Index extent) {
    first = i / group_size;
    second = first;
    share = 0;
    if (!interpolates) return;
    const double middle = (static_cast<double>(i) + 0.5) / static_cast<double>(group_size) - 0.5;
    const double position = std::max(middle, 0.0);
    first = std::min(static_cast<Index>(position), extent - 1);
    second = std::min(first + 1, extent - 1);
    share = static_cast<T>(position - static_cast<double>(first));
  }
};

/// Calls visit(j, entry, factor) for every term factor * entry of the upscaled weights of a row.
template <class T, class Visit>
void for_each_upscaled(const CrossAttentionInput<T>& in, const RowPlace& row, Visit&& visit) {
  const CrossAttentionMixing<T>& mixing = in.mixing;
  const bool interpolates = mixing.kind == SuppliedWeights::bilinear;
  const Index matrix = (row.batch * in.size.heads + row.head) * mixing.extent * mixing.extent;
  // A packed text has no cells after its last group, however many the longest has.
  const Index groups = (in.size.keys_of(row.batch) + mixing.group_size - 1) / mixing.group_size;
  const Index cells = in.size.key_texts ? groups : mixing.extent;
  const CellPair<T> rows(interpolates, row.i, mixing.group_size, cells);
  for (Index j = row.range.begin; j < row.range.begin + row.until_query(); ++j) {
    const CellPair<T> columns(interpolates, j, mixing.group_size, cells);
    const auto entry = [&](Index r, Index c) { return matrix + r * mixing.extent + c; };
    visit(j - row.range.begin, entry(rows.first, columns.first), (1 - rows.share) * (1 - columns.share));
    if (!interpolates) continue;
    visit(j - row.range.begin, entry(rows.first, columns.second), (1 - rows.share) * columns.share);
    visit(j - row.range.begin, entry(rows.second, columns.first), rows.share * (1 - columns.share));
    visit(j - row.range.begin, entry(rows.second, columns.second), rows.share * columns.share);
  }
}

/// Multiplies the supplied weights, or their gradients, of hidden keys by 0.
template <class T>
void hide_supplied(const CrossAttentionMixing<T>& mixing, const RowPlace& row, T* values) {
  if (!mixing.visible.dense()) return;
  for (Index j = 0; j < row.count(); ++j) {
    const T mask = mixing.visible.at(row.batch, row.i, row.range.begin + j);
    if (!(mask > static_cast<T>(kHiddenBelow))) values[j] = 0;
  }
}

/// The supplied weights of a row.
template <class T>
void supplied_row(const CrossAttentionInput<T>& in, const RowPlace& row, T* supplied) {
  const CrossAttentionMixing<T>& mixing = in.mixing;
  const CrossAttentionSize& size = in.size;
  const Index pair = row.batch * size.heads + row.head;
  if (mixing.kind == SuppliedWeights::dense) {
    std::copy_n(mixing.weights + (pair * size.queries + row.i) * size.keys + row.range.begin, row.count(), supplied);
    return;
  }
  std::fill_n(supplied, row.count(), T{0});
  if (mixing.kind == SuppliedWeights::ones) {
    T entry = 1;
    if (mixing.entry_drop) {
      const bool kept =
          (mixing.entry_drop->rng.words(static_cast<std::uint64_t>(pair))[0] >> 8) >= mixing.entry_drop->threshold;
      entry = kept ? static_cast<T>(mixing.entry_drop->scale) : T{0};
    }
    std::fill_n(supplied, row.until_query(), entry);
  } else {
    for_each_upscaled(in, row, [&](Index j, Index entry, T factor) { supplied[j] += factor * mixing.weights[entry]; });
  }
  hide_supplied(mixing, row, supplied);
}

/// mixed = m w + (1 - m) s over its sum; keys that the fill covers get 0 afterwards. Returns 1 / (sum + 1e-9).
template <class T>
T mix_row(const CrossAttentionInput<T>& in, const RowPlace& row, const T* w, const T* supplied, T* mixed) {
  const Vector<T> local(in.mixing.mix), other(1 - in.mixing.mix);
  const auto [sum] = row_sums<T, 1>(row.count(), [&](Index j, auto access, auto& sums) {
    const auto value = multiply_add<T>(local, access.load(w + j), other * access.load(supplied + j));
    access.store(mixed + j, value);
    sums[0] += value;
  });
  const T factor = 1 / (sum + static_cast<T>(kMixingEpsilon));
  for (Index j = 0; j < row.count(); ++j) mixed[j] *= factor;
  fill_row(in.mask, row, mixed, T{0});
  return factor;
}

/// Dropout of a row, or of its gradient: element (i, j) of [batch, heads, queries, keys] has a random word of its own.
template <class T>
void drop_row(const CrossAttentionInput<T>& in, const RowPlace& row, T* values) {
  if (!in.dropout) return;
  const Index pair = row.batch * in.size.heads + row.head;
  const Index first = (pair * in.size.queries + row.i) * in.size.keys + row.range.begin;
  const Index last = first + row.count();
  std::uint32_t words[kPhiloxWords];
  for (Index block = first / kPhiloxWords * kPhiloxWords; block < last; block += kPhiloxWords) {
    philox_words(in.dropout->rng, block, words);
    for (Index at = std::max(block, first); at < std::min(block + kPhiloxWords, last); ++at) {
      const bool kept = (words[at - block] >> 8) >= in.dropout->threshold;
      values[at - first] = kept ? values[at - first] * static_cast<T>(in.dropout->scale) : T{0};
    }
  }
}

/// d scores = w (dw - Σ w dw), 0 where the fill replaced the score; `slopes` holds dw and then d scores.
template <class T>
void softmax_row_backward(const CrossAttentionMask<T>& mask, const RowPlace& row, const T* w, T* slopes) {
  const auto [product] = row_sums<T, 1>(row.count(), [&](Index j, auto access, auto& sums) {
    sums[0] = multiply_add(access.load(w + j), access.load(slopes + j), sums[0]);
  });
  const Vector<T> mean(product);
  for_each_vector<T>(row.count(), [&](Index j, auto access) {
    access.store(slopes + j, access.load(w + j) * (access.load(slopes + j) - mean));
  });
  fill_row(mask, row, slopes, T{0});
}

}  // namespace detail

}  // namespace weft::kernels
