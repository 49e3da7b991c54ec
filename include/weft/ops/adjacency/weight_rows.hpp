// SPDX-License-Identifier: Apache-2.0
/// \file
/// From scores to weights on a block of rows: masks, softmax or relu, and their derivatives.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "weft/ops/adjacency/adjacency_input.hpp"
#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/elementwise/vector_math.hpp"

namespace weft::kernels {

namespace detail {

template <class T>
const T* additive_row(const AttentionMask<T>& mask, const AdjacencyBlock& block, Index row) {
  return mask.additive + block.batch * mask.additive_batch_stride + (block.first + row) * mask.additive_row_stride;
}

/// scores = max(lowest, scores + mask), in T: large numbers absorb scores. Keys that a row skips are left alone.
template <class T>
void add_masks(const AdjacencyInput<T>& in, const AdjacencyBlock& block, T* scores) {
  const AttentionMask<T>& mask = in.attention.mask;
  constexpr T lowest = std::numeric_limits<T>::lowest();
  for (Index r = 0; r < block.count; ++r, scores += block.width) {
    const Index seen = block.seen(r);
    if (mask.additive != nullptr) {
      const T* added = additive_row(mask, block, r);
      for_each_vector<T>(seen, [&](Index j, auto access) {
        const Vector<T> bounded = xsimd::max(Vector<T>(lowest), access.load(added + j));
        access.store(scores + j, xsimd::max(Vector<T>(lowest), Vector<T>(access.load(scores + j) + bounded)));
      });
    }
    if (mask.key_valid != nullptr) {
      const std::int32_t* valid = mask.key_valid + block.batch * in.size().keys;
      for (Index j = 0; j < seen; ++j) {
        if (valid[j] == 0) scores[j] = lowest;
      }
    }
    if (!mask.causal) continue;
    for (Index j = std::max<Index>(0, block.position + r + 1); j < seen; ++j) {
      scores[j] = std::max(lowest, scores[j] + in.later);
    }
  }
}

/// Whether a key is masked for a row of a block.
template <class T>
bool is_masked(const AdjacencyInput<T>& in, const AdjacencyBlock& block, Index row, Index key) {
  const AttentionMask<T>& mask = in.attention.mask;
  if (key < block.begin(row) || (mask.causal && key > block.position + row)) return true;
  if (mask.key_valid != nullptr && mask.key_valid[block.batch * in.size().keys + key] == 0) return true;
  return mask.additive != nullptr && additive_row(mask, block, row)[key] <= kMaskedFrom<T>;
}

/// Calls `body(values, key)` for every masked entry of the rows [count, width].
template <class T, class Body>
void for_each_masked(const AdjacencyInput<T>& in, const AdjacencyBlock& block, T* values, Body&& body) {
  for (Index r = 0; r < block.count; ++r, values += block.width) {
    for (Index j = 0; j < block.width; ++j) {
      if (is_masked(in, block, r, j)) body(values[j]);
    }
  }
}

/// weights = softmax(factor · scores) over the first `seen` of `width` entries, 0 behind them; zeros where all scores are
/// -infinity. A negative factor makes it a softmax of negated scores: subtracting the peak before sharpening keeps scores
/// at the end of T's range from overflowing.
template <class T>
void softmax_row(T factor, const T* scores, Index seen, Index width, T* weights) {
  const T sign = factor < 0 ? T{-1} : T{1};
  Vector<T> largest(-std::numeric_limits<T>::infinity());
  for_each_vector<T>(seen, [&](Index j, auto access) {
    largest = xsimd::max(
        largest, Vector<T>(Vector<T>(sign) * access.load_or(scores + j, -sign * std::numeric_limits<T>::infinity())));
  });
  const T peak = sign * max_lanes<T>(largest);
  std::fill(weights + seen, weights + width, T{0});
  if (std::isinf(peak)) {
    std::fill_n(weights, seen, T{0});
    return;
  }
  const Vector<T> peaks(peak);
  const Vector<T> factors(factor);
  const auto [sum] = row_sums<T, 1>(seen, [&](Index j, auto access, auto& sums) {
    const T beyond = -sign * std::numeric_limits<T>::infinity();
    const Vector<T> score = access.load_or(scores + j, beyond);
    const Vector<T> power = kernels::exp(Vector<T>(factors * (score - peaks)));
    const Vector<T> weight = xsimd::select(score == Vector<T>(beyond), Vector<T>(T{0}), power);
    access.store(weights + j, weight);
    sums[0] += weight;
  });
  const Vector<T> inverse(T{1} / sum);
  for_each_vector<T>(
      seen, [&](Index j, auto access) { access.store(weights + j, Vector<T>(access.load(weights + j) * inverse)); });
}

}  // namespace detail

/// Masks the scores and makes weights of them. Afterwards `scores` holds what the sharpness multiplies: masked scores or,
/// with `mask_after_scaling`, the scores as they came.
///
/// \param scores   [count, width], scale · q·k
/// \param weights  [count, width]; 0 for skipped keys
template <class T>
void weigh_rows(const AdjacencyInput<T>& in, const AdjacencyBlock& block, T* scores, T* weights) {
  const T sharpness = in.attention.sharpness;
  if (in.rules.weights == AdjacencyWeights::softmax && in.rules.mask_after_scaling) {
    for (Index r = 0; r < block.count; ++r) {
      T* row = weights + r * block.width;
      const T* added =
          in.attention.mask.additive != nullptr ? detail::additive_row(in.attention.mask, block, r) : nullptr;
      for (Index j = 0; j < block.width; ++j) {
        const bool masked = detail::is_masked(in, block, r, j);
        const T scaled = sharpness * scores[r * block.width + j];
        row[j] = masked ? -std::numeric_limits<T>::infinity() : added != nullptr ? scaled + added[j] : scaled;
      }
      detail::softmax_row(T{1}, row, block.width, block.width, row);
    }
    return;
  }
  detail::add_masks(in, block, scores);
  for (Index r = 0; r < block.count; ++r) {
    const Index begin = block.begin(r);
    const T* from = scores + r * block.width + begin;
    T* to = weights + r * block.width + begin;
    const Index seen = block.seen(r) - begin;
    const Index width = block.width - begin;
    std::fill(to - begin, to, T{0});
    if (in.rules.weights == AdjacencyWeights::softmax) {
      detail::softmax_row(sharpness, from, seen, width, to);
      continue;
    }
    const T least = in.rules.weights == AdjacencyWeights::relu ? T{0} : -std::numeric_limits<T>::infinity();
    for_each_vector<T>(
        seen, [&](Index j, auto access) { access.store(to + j, xsimd::max(access.load(from + j), Vector<T>(least))); });
    std::fill(to + seen, to + width, T{0});
  }
}

/// From d weights to d (scale · q·k), in place; adds to d sharpness where `sharpness` is not null. With x = sharpness ·
/// score, w = softmax(x): dx = w (dw - Σ w dw), d score = sharpness dx, d sharpness = Σ dx (score - peak), because the dx of a
/// row add up to 0. Keys masked with the smallest number add nothing to the last sum; their dx is 0.
///
/// \param scores  what `weigh_rows` left; looked at for relu and d sharpness only
template <class T>
void weigh_rows_backward(const AdjacencyInput<T>& in, const AdjacencyBlock& block, const T* scores, const T* weights,
                         T* d, double* sharpness) {
  const T factor = in.attention.sharpness;
  const Vector<T> zero(T{0});
  for (Index r = 0; r < block.count; ++r, scores += block.width, weights += block.width, d += block.width) {
    const Index seen = block.seen(r);
    std::fill_n(d, block.begin(r), T{0});
    std::fill(d + seen, d + block.width, T{0});
    if (in.rules.weights == AdjacencyWeights::raw) continue;
    if (in.rules.weights == AdjacencyWeights::relu) {
      for_each_vector<T>(seen, [&](Index j, auto access) {
        access.store(d + j, xsimd::select(access.load(scores + j) > zero, access.load(d + j), zero));
      });
      continue;
    }
    const auto [product] = row_sums<T, 1>(seen, [&](Index j, auto access, auto& sums) {
      sums[0] = multiply_add(access.load(weights + j), access.load(d + j), sums[0]);
    });
    const Vector<T> mean(product);
    if (sharpness == nullptr) {
      for_each_vector<T>(seen, [&](Index j, auto access) {
        access.store(d + j, Vector<T>(Vector<T>(factor) * access.load(weights + j) * (access.load(d + j) - mean)));
      });
      continue;
    }
    // Any number may be subtracted; the score of the largest weight leaves the smallest terms.
    const T peak = factor < 0 ? *std::min_element(scores, scores + seen) : row_max(seen, scores);
    const Vector<T> masked(std::numeric_limits<T>::lowest() / 2);
    Vector<T> row_sum(T{0});
    for_each_vector<T>(seen, [&](Index j, auto access) {
      const Vector<T> dx = access.load(weights + j) * (access.load(d + j) - mean);
      const Vector<T> above = access.load(scores + j) - Vector<T>(peak);
      row_sum = multiply_add(dx, xsimd::select(above > masked, above, zero), row_sum);
      access.store(d + j, Vector<T>(Vector<T>(factor) * dx));
    });
    *sharpness += static_cast<double>(sum_lanes(row_sum));
  }
}

}  // namespace weft::kernels
