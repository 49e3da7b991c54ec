// SPDX-License-Identifier: Apache-2.0
/// \file
/// The largest neighbour by its definition: what the fast kernel is compared with.
#pragma once

#include <algorithm>
#include <limits>

#include "weft/ops/neighbour_max/neighbour_max_kernels.hpp"

namespace weft::kernels {

/// y[b, i, h, c] = max over {j : a[b, h, i, j] > 0} of u[b, j, h, c], 0 where there is no such j
template <class T>
void neighbour_max_naive(const HeadAggregateSize& size, const T* a, const T* u, T* y) {
  for (Index at = 0; at < size.batch * size.heads * size.queries; ++at) {
    const Index i = at % size.queries, head = at / size.queries % size.heads, b = at / size.queries / size.heads;
    for (Index c = 0; c < size.dim; ++c) {
      bool any = false;
      T largest = -std::numeric_limits<T>::infinity();
      for (Index j = 0; j < size.keys; ++j) {
        if (!(a[at * size.keys + j] > T{0})) continue;
        any = true;
        largest = std::max(largest, u[(b * size.keys + j) * size.width() + head * size.dim + c]);
      }
      y[(b * size.queries + i) * size.width() + head * size.dim + c] = any ? largest : T{0};
    }
  }
}

}  // namespace weft::kernels
