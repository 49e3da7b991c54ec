// SPDX-License-Identifier: Apache-2.0
/// \file
/// `neighbour_max` on the CPU.
#pragma once

#include "weft/ops/neighbour_max/neighbour_max_kernels.hpp"
#include "weft/ops/neighbour_max/neighbour_max_row.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft {

template <>
struct NeighbourMaxKernels<Cpu> {
  /// y and `from`, which says where each value comes from, have the layout [batch, queries, heads * dim]. Texts of u lie
  /// `batch_stride` elements apart, so that u may be a cache.
  template <class T>
  static void forward(const HeadAggregateSize& size, const T* a, const T* u, Index batch_stride, T* y, T* from) {
    parallel_for(size.batch * size.heads * size.queries, 8, [&](Index begin, Index end) {
      for (Index at = begin; at < end; ++at) {
        const Index i = at % size.queries;
        const Index head = at / size.queries % size.heads;
        const Index b = at / size.queries / size.heads;
        const Index to = (b * size.queries + i) * size.width() + head * size.dim;
        kernels::neighbour_max_row(size.keys, a + at * size.keys, u + b * batch_stride + head * size.dim, size.width(),
                                   size.dim, T{0}, y + to, from + to);
      }
    });
  }

  /// du has to hold something already.
  template <class T>
  static void backward(const HeadAggregateSize& size, const T* from, const T* dy, T* du) {
    parallel_for(size.batch * size.heads, 1, [&](Index begin, Index end) {
      for (Index at = begin; at < end; ++at) {
        const Index b = at / size.heads;
        const Index feature = at % size.heads * size.dim;
        for (Index i = 0; i < size.queries; ++i) {
          const Index row = (b * size.queries + i) * size.width() + feature;
          kernels::neighbour_max_row_backward(size.dim, from + row, dy + row,
                                              du + b * size.keys * size.width() + feature, size.width());
        }
      }
    });
  }
};

}  // namespace weft
