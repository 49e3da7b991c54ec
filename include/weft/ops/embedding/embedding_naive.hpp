// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lookup and scatter-add by their definitions: what the fast kernels are compared with.
#pragma once

#include "weft/ops/embedding/embedding_kernels.hpp"

namespace weft::kernels {

/// y[row] = weight[ids[row]]
template <class T, class Weight, class Id>
void embedding_naive(const EmbeddingSize& size, const Id* ids, const Weight* weight, T* y) {
  for (Index row = 0; row < size.rows; ++row) {
    for (Index column = 0; column < size.features; ++column) {
      y[row * size.features + column] = static_cast<T>(weight[static_cast<Index>(ids[row]) * size.features + column]);
    }
  }
}

/// dweight[ids[row]] += dy[row], but for the padding
template <class T, class Id>
void embedding_backward_naive(const EmbeddingSize& size, const Id* ids, const T* dy, T* dweight) {
  for (Index row = 0; row < size.rows; ++row) {
    if (static_cast<Index>(ids[row]) == size.padding_id) continue;
    for (Index column = 0; column < size.features; ++column) {
      dweight[static_cast<Index>(ids[row]) * size.features + column] += dy[row * size.features + column];
    }
  }
}

}  // namespace weft::kernels
