// SPDX-License-Identifier: Apache-2.0
/// \file
/// The norm over the nodes of a graph by its definition: what the fast kernel is compared with.
#pragma once

#include <cmath>

#include "weft/ops/graph_norm/graph_norm_kernels.hpp"

namespace weft::kernels {

/// y = weight c / sqrt(mean(c²) + eps) + bias with c = x - mean_scale mean(x), the means over the nodes of each graph
template <class T>
void graph_norm_naive(const GraphNormSize<T>& size, const T* x, const T* weight, const T* bias, const T* mean_scale,
                      T* y) {
  for (Index g = 0; g < size.graphs; ++g) {
    const Index begin = size.begin[g];
    const Index end = size.begin[g + 1];
    const T count = static_cast<T>(end - begin);
    for (Index f = 0; f < size.features; ++f) {
      T mean = 0;
      T squares = 0;
      for (Index node = begin; node < end; ++node) mean += x[node * size.features + f] / count;
      const auto centred = [&](Index node) { return x[node * size.features + f] - mean_scale[f] * mean; };
      for (Index node = begin; node < end; ++node) squares += centred(node) * centred(node) / count;
      for (Index node = begin; node < end; ++node) {
        y[node * size.features + f] = weight[f] * centred(node) / std::sqrt(squares + size.eps) + bias[f];
      }
    }
  }
}

}  // namespace weft::kernels
