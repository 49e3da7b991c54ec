// SPDX-License-Identifier: Apache-2.0
/// \file
/// Aggregation along heads by its definition: what the fast kernel is compared with.
#pragma once

#include "weft/ops/head_aggregate/head_aggregate_kernels.hpp"

namespace weft::kernels {

/// y[b, i, h, c] = Σⱼ a[b, h, i, j] u[b, j, h, c]
template <class T>
void head_aggregate_naive(const HeadAggregateSize& size, const T* a, const T* u, T* y) {
  for (Index b = 0; b < size.batch; ++b) {
    for (Index i = 0; i < size.queries; ++i) {
      for (Index c = 0; c < size.width(); ++c) {
        const Index head = c / size.dim;
        double sum = 0;
        for (Index j = 0; j < size.keys; ++j) {
          sum += static_cast<double>(a[((b * size.heads + head) * size.queries + i) * size.keys + j]) *
                 static_cast<double>(u[(b * size.keys + j) * size.width() + c]);
        }
        y[(b * size.queries + i) * size.width() + c] = static_cast<T>(sum);
      }
    }
  }
}

}  // namespace weft::kernels
