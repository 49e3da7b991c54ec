// SPDX-License-Identifier: Apache-2.0
/// \file
/// The network over heads by its definition: what the fast kernel is compared with.
#pragma once

#include <algorithm>

#include "weft/ops/adjacency_mlp/adjacency_mlp_kernels.hpp"

namespace weft::kernels {

/// z_ij = W3 · relu(W0 a_ij + b0) + b3 for every pair of tokens, without dropout
template <class T>
void adjacency_mlp_naive(const AdjacencyMLPSize& size, const T* a, const AdjacencyMLPWeights<T>& weights, T* z) {
  const Index pairs = size.queries * size.keys;
  for (Index b = 0; b < size.batch; ++b) {
    for (Index pair = 0; pair < pairs; ++pair) {
      T sum = *weights.b3;
      for (Index unit = 0; unit < size.hidden; ++unit) {
        T h = weights.b0[unit];
        for (Index head = 0; head < size.heads; ++head) {
          h += weights.w0[unit * size.heads + head] * a[(b * size.heads + head) * pairs + pair];
        }
        sum += weights.w3[unit] * std::max(h, T{0});
      }
      z[b * pairs + pair] = sum;
    }
  }
}

}  // namespace weft::kernels
