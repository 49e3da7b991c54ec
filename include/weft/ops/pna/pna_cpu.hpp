// SPDX-License-Identifier: Apache-2.0
/// \file
/// `pna_attention` on the CPU: one sweep over blocks of rows of every head, and another for the derivative.
#pragma once

#include <cmath>

#include "weft/ops/pna/pna_kernels.hpp"
#include "weft/ops/pna/pna_rows.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct PNAKernels<Cpu> {
  /// The values with their squares, their lengths and running maxima, where they are needed.
  template <class T>
  static void prepare(const PNAInput<T>& in, T* moments, T* norms) {
    const kernels::AttentionSize& size = in.size();
    parallel_for(size.batch * size.keys, kernels::rows_worth_a_thread(in.moment_row()), [&](Index begin, Index end) {
      for (Index at = begin; at < end; ++at) {
        const Index b = at / size.keys;
        const Index key = at % size.keys;
        for (Index head = 0; head < size.kv_heads; ++head) {
          const T* x = in.v.at(b, key, head * in.dim);
          T* to = moments + at * in.moment_row() + head * 2 * in.dim;
          const auto [square] = kernels::row_sums<T, 1>(in.dim, [&](Index c, auto access, auto& sums) {
            const kernels::Vector<T> value = access.load(x + c);
            access.store(to + c, value);
            access.store(to + in.dim + c, kernels::Vector<T>(value * value));
            sums[0] += value * value;
          });
          if (norms != nullptr) norms[(b * size.kv_heads + head) * size.keys + key] = std::sqrt(square);
        }
      }
    });
    if (in.runs()) run_maxima(in);
  }

  /// y: [batch, queries, heads, 4, dim]
  template <class T>
  static void forward(const PNAInput<T>& in, T* y) {
    struct Scratch {};
    kernels::detail::for_each_row_block(
        in.size(), [&] { return kernels::AdjacencyRows<T>(in.adjacency); },
        [&](kernels::AdjacencyRows<T>& rows, Index batch, Index head, Index first) {
          rows.compute(plan(in, batch, head, first));
          T* sums = thread_scratch<Scratch, T>(kernels::kAdjacencyRows * 2 * in.dim);
          kernels::pna_block(in, rows.block(), rows.p(), sums, y);
        });
  }

  /// `d_moments`, of the size of the moments, and dv have to hold something already; null: not wanted.
  template <class T>
  static kernels::AdjacencySums backward(const PNAInput<T>& in, const T* y, const T* dy,
                                         const kernels::AdjacencyGradients<T>& gradients, T* d_moments,
                                         kernels::AttentionRows<T> dv) {
    struct Scratch {};
    return kernels::detail::for_each_head_backward(
        in.size(), [&] { return kernels::AdjacencyRows<T>(in.adjacency); },
        [&](kernels::AdjacencyRows<T>& rows, Index batch, Index head, kernels::AdjacencySums& sums) {
          T* g = thread_scratch<Scratch, T>(kernels::kAdjacencyRows * (2 * in.dim + 1));
          for (Index first = 0; first < in.size().queries; first += kernels::kAdjacencyRows) {
            rows.compute(plan(in, batch, head, first));
            T* d = gradients ? rows.d() : nullptr;
            kernels::pna_block_backward(in, rows.block(), rows.p(), y, dy, g, d, d_moments, dv);
            if (gradients) rows.backward(d, gradients, sums);
          }
        });
  }

  /// dx += d moments₁ + 2 x d moments₂
  template <class T>
  static void finish(const PNAInput<T>& in, const T* d_moments, kernels::AttentionRows<T> dv) {
    const kernels::AttentionSize& size = in.size();
    parallel_for(size.batch * size.keys, kernels::rows_worth_a_thread(in.moment_row()), [&](Index begin, Index end) {
      for (Index at = begin * size.kv_heads; at < end * size.kv_heads; ++at) {
        const Index row = at / size.kv_heads;
        const T* d = d_moments + at * 2 * in.dim;
        const T* x = in.moments + at * 2 * in.dim;
        T* to = dv.at(row / size.keys, row % size.keys, at % size.kv_heads * in.dim);
        kernels::for_each_vector<T>(in.dim, [&](Index c, auto access) {
          const kernels::Vector<T> twice = access.load(x + c) * kernels::Vector<T>(T{2});
          const kernels::Vector<T> sum = kernels::multiply_add(twice, access.load(d + in.dim + c), access.load(d + c));
          access.store(to + c, kernels::Vector<T>(access.load(to + c) + sum));
        });
      }
    });
  }

 private:
  /// A threshold below 0 selects tokens without an edge: then all keys count.
  template <class T>
  static kernels::AdjacencyBlock plan(const PNAInput<T>& in, Index batch, Index head, Index first) {
    const bool all_keys = in.rules.selects() && in.valid_above() < T{0};
    return kernels::plan_adjacency_block(in.adjacency, batch, head, first, all_keys);
  }

  /// The largest value so far of every channel, and the token it comes from.
  template <class T>
  static void run_maxima(const PNAInput<T>& in) {
    const kernels::AttentionSize& size = in.size();
    const Index width = size.kv_heads * in.dim;
    const Index half = in.from_size() / 2;
    parallel_for(size.batch, 1, [&](Index begin, Index end) {
      for (Index b = begin; b < end; ++b) {
        T* best = in.from + b * size.keys * width;
        for (Index key = 0; key < size.keys; ++key, best += width) {
          const T* x = in.v.at(b, key, 0);
          for (Index c = 0; c < width; ++c) {
            const bool better = key == 0 || x[c] > best[c - width];
            best[c] = better ? x[c] : best[c - width];
            best[half + c] = better ? static_cast<T>(key) : best[half + c - width];
          }
        }
      }
    });
  }
};

}  // namespace weft
