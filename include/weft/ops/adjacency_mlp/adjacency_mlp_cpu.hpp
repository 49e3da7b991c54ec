// SPDX-License-Identifier: Apache-2.0
/// \file
/// `adjacency_mlp` on the CPU: 64 pairs at a time, whose hidden units are never stored.
#pragma once

#include <algorithm>
#include <optional>

#include "weft/ops/adjacency_mlp/adjacency_mlp_kernels.hpp"
#include "weft/ops/dropout/philox_vectors.hpp"
#include "weft/ops/elementwise/rows.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct AdjacencyMLPKernels<Cpu> {
  /// z = W3 · dropout(relu(W0 a + b0)) + b3 for every pair
  template <class T>
  static void forward(const AdjacencyMLPSize& size, const T* a, const AdjacencyMLPWeights<T>& weights,
                      const std::optional<DropoutMask>& mask, T* z) {
    const Index rows = size.batch * size.queries;
    parallel_for(rows, kernels::rows_worth_a_thread(size.keys * size.hidden), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        for (Index first = 0; first < size.keys; first += kPairs) {
          const Pairs<T> pairs(size, row, first, a);
          alignas(64) T sum[kPairs];
          std::fill_n(sum, kPairs, *weights.b3);
          for (Index unit = 0; unit < size.hidden; ++unit) {
            alignas(64) T h[kPairs];
            alignas(64) T kept[kPairs];
            pairs.before_relu(weights, unit, h);
            pairs.dropout_factors(mask, unit, kept);
            for (Index j = 0; j < kPairs; ++j) sum[j] += weights.w3[unit] * kept[j] * std::max(h[j], T{0});
          }
          std::copy_n(sum, pairs.count, z + row * size.keys + first);
        }
      }
    });
  }

  /// All derivatives; the hidden units are computed again.
  template <class T>
  static void backward(const AdjacencyMLPSize& size, const T* a, const AdjacencyMLPWeights<T>& weights,
                       const std::optional<DropoutMask>& mask, const T* dz, GradientTarget<T> da, GradientTarget<T> dw0,
                       GradientTarget<T> db0, GradientTarget<T> dw3, GradientTarget<T> db3) {
    struct ParameterSums;
    const Index hidden = size.hidden;
    const Index width = hidden * (size.heads + 2) + 1;
    kernels::for_row_blocks<ParameterSums, T>(
        size.batch * size.queries, width,
        [&](Index begin, Index end, T* sums) {
          for (Index row = begin; row < end; ++row) {
            for (Index first = 0; first < size.keys; first += kPairs) {
              backward_pairs(size, Pairs<T>(size, row, first, a), weights, mask, dz + row * size.keys + first, da,
                             sums);
            }
          }
        },
        [&](const T* sums) {
          if (dw0) kernels::add_to_gradient(hidden * size.heads, sums, dw0);
          if (db0) kernels::add_to_gradient(hidden, sums + hidden * size.heads, db0);
          if (dw3) kernels::add_to_gradient(hidden, sums + hidden * (size.heads + 1), dw3);
          if (db3) kernels::add_to_gradient(Index{1}, sums + hidden * (size.heads + 2), db3);
        });
  }

 private:
  static constexpr Index kPairs = kernels::kPhiloxWords;

  /// The weights of up to 64 pairs of one query, as vectors over the pairs, zeros behind the last.
  template <class T>
  struct Pairs {
    const AdjacencyMLPSize& size;
    Index row;    ///< batch * queries + query
    Index first;  ///< key
    Index count;
    const T* a;  ///< the heads' values of all pairs, kPairs for each head

    Pairs(const AdjacencyMLPSize& sizes, Index query, Index key, const T* weights)
        : size(sizes), row(query), first(key), count(std::min(kPairs, sizes.keys - key)) {
      struct HeadValues;
      T* values = thread_scratch<HeadValues, T>(size.heads * kPairs);
      for (Index head = 0; head < size.heads; ++head) {
        const T* from = weights + position(head);
        T* to = values + head * kPairs;
        std::copy_n(from, count, to);
        std::fill(to + count, to + kPairs, T{0});
      }
      a = values;
    }

    Index position(Index head) const {
      const Index b = row / size.queries;
      return ((b * size.heads + head) * size.queries + row % size.queries) * size.keys + first;
    }

    void before_relu(const AdjacencyMLPWeights<T>& weights, Index unit, T* h) const {
      std::fill_n(h, kPairs, weights.b0[unit]);
      for (Index head = 0; head < size.heads; ++head) {
        const T factor = weights.w0[unit * size.heads + head];
        const T* from = a + head * kPairs;
        for (Index j = 0; j < kPairs; ++j) h[j] += factor * from[j];
      }
    }

    /// 1, or 0 and 1 / (1 - p): word (row * hidden + unit) * padded keys + key of the stream decides.
    void dropout_factors(const std::optional<DropoutMask>& mask, Index unit, T* kept) const {
      std::fill_n(kept, kPairs, T{1});
      if (!mask) return;
      const Index blocks = (size.keys + kPairs - 1) / kPairs;
      std::uint32_t words[kPairs];
      kernels::philox_words(mask->rng, ((row * size.hidden + unit) * blocks + first / kPairs) * kPairs, words);
      for (Index j = 0; j < kPairs; ++j) kept[j] = (words[j] >> 8) >= mask->threshold ? static_cast<T>(mask->scale) : 0;
    }
  };

  template <class T>
  static T sum_of(const T* values) {
    return kernels::row_sums<T, 1>(kPairs,
                                   [&](Index i, auto access, auto& sums) { sums[0] += access.load(values + i); })[0];
  }

  /// sums: dW0 [hidden, heads], db0 [hidden], dW3 [hidden], db3
  template <class T>
  static void backward_pairs(const AdjacencyMLPSize& size, const Pairs<T>& pairs, const AdjacencyMLPWeights<T>& weights,
                             const std::optional<DropoutMask>& mask, const T* upstream, const GradientTarget<T>& da,
                             T* sums) {
    struct HeadSlopes;
    alignas(64) T dz[kPairs] = {};
    std::copy_n(upstream, pairs.count, dz);
    T* slopes = thread_scratch<HeadSlopes, T>(size.heads * kPairs);
    std::fill_n(slopes, size.heads * kPairs, T{0});
    T* db0 = sums + size.hidden * size.heads;
    T* dw3 = db0 + size.hidden;
    for (Index unit = 0; unit < size.hidden; ++unit) {
      alignas(64) T h[kPairs];
      alignas(64) T kept[kPairs];
      pairs.before_relu(weights, unit, h);
      pairs.dropout_factors(mask, unit, kept);
      for (Index j = 0; j < kPairs; ++j) {
        const T through = dz[j] * kept[j];
        kept[j] = through * std::max(h[j], T{0});
        h[j] = h[j] > 0 ? through * weights.w3[unit] : T{0};
      }
      dw3[unit] += sum_of(kept);
      db0[unit] += sum_of(h);
      for (Index head = 0; head < size.heads; ++head) {
        const T* from = pairs.a + head * kPairs;
        T* to = slopes + head * kPairs;
        const T factor = weights.w0[unit * size.heads + head];
        for (Index j = 0; j < kPairs; ++j) {
          to[j] += factor * h[j];
          kept[j] = h[j] * from[j];
        }
        sums[unit * size.heads + head] += sum_of(kept);
      }
    }
    dw3[size.hidden] += sum_of(dz);
    if (!da) return;
    for (Index head = 0; head < size.heads; ++head) {
      T* to = da.data + pairs.position(head);
      for (Index j = 0; j < pairs.count; ++j) {
        to[j] = da.accumulate ? to[j] + slopes[head * kPairs + j] : slopes[head * kPairs + j];
      }
    }
  }
};

}  // namespace weft
