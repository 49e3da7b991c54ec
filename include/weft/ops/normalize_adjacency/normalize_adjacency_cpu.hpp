// SPDX-License-Identifier: Apache-2.0
/// \file
/// `normalize_adjacency` on the CPU: the matrices are spread over the threads.
#pragma once

#include <algorithm>
#include <cmath>

#include "weft/autograd/gradient.hpp"
#include "weft/ops/normalize_adjacency/normalize_adjacency_kernels.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/parallel.hpp"
#include "weft/tensor/scratch.hpp"

namespace weft {

template <>
struct NormalizeAdjacencyKernels<Cpu> {
  /// y = (Dᵢ aᵢⱼ mᵢⱼ Dⱼ) mᵢⱼ with Dᵢ = (Σⱼ aᵢⱼ mᵢⱼ)^(-1/2), 0 where the sum is 0, NaN where it is negative.
  template <class T>
  static void forward(Index matrices, Index nodes, const T* a, const T* mask, T* y) {
    struct Scratch {};
    parallel_for(matrices, 1, [&](Index begin, Index end) {
      T* scales = thread_scratch<Scratch, T>(nodes);
      for (Index at = begin * nodes * nodes; at < end * nodes * nodes; at += nodes * nodes) {
        fill_scales(nodes, a + at, mask, scales);
        for (Index i = 0; i < nodes * nodes; ++i) {
          y[at + i] = scales[i / nodes] * (a[at + i] * mask[i]) * scales[i % nodes] * mask[i];
        }
      }
    });
  }

  /// With g = dy m: da = m (Dᵢ Dⱼ g + dδᵢ), dδᵢ = -Dᵢ³/2 (Σⱼ gᵢⱼ bᵢⱼ Dⱼ + Σₖ gₖᵢ bₖᵢ Dₖ), b = a m.
  template <class T>
  static void backward(Index matrices, Index nodes, const T* a, const T* mask, const T* dy, GradientTarget<T> da) {
    struct Scratch {};
    parallel_for(matrices, 1, [&](Index begin, Index end) {
      T* scales = thread_scratch<Scratch, T>(2 * nodes);
      T* sums = scales + nodes;
      for (Index at = begin * nodes * nodes; at < end * nodes * nodes; at += nodes * nodes) {
        fill_scales(nodes, a + at, mask, scales);
        std::fill_n(sums, nodes, T{0});
        for (Index i = 0; i < nodes * nodes; ++i) {
          const T term = dy[at + i] * mask[i] * (a[at + i] * mask[i]);
          sums[i / nodes] += term * scales[i % nodes];
          sums[i % nodes] += term * scales[i / nodes];
        }
        for (Index i = 0; i < nodes * nodes; ++i) {
          const T scale = scales[i / nodes];
          const T through_degree = scale * scale * scale * sums[i / nodes] / T{-2};
          const T value = mask[i] * (scale * scales[i % nodes] * dy[at + i] * mask[i] + through_degree);
          da.data[at + i] = da.accumulate ? da.data[at + i] + value : value;
        }
      }
    });
  }

 private:
  template <class T>
  static void fill_scales(Index nodes, const T* a, const T* mask, T* scales) {
    for (Index i = 0; i < nodes; ++i) {
      T degree{0};
      for (Index j = 0; j < nodes; ++j) degree += a[i * nodes + j] * mask[i * nodes + j];
      scales[i] = degree == T{0} ? T{0} : T{1} / std::sqrt(degree);
    }
  }
};

}  // namespace weft
