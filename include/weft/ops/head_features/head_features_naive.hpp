// SPDX-License-Identifier: Apache-2.0
/// \file
/// Aggregates side by side by their definition: what the fast kernel is compared with.
#pragma once

#include <vector>

#include "weft/ops/head_features/head_features_kernels.hpp"

namespace weft::kernels {

/// y[row, head] = [(1 + ε_head) self, α_head sum, largest, attended] of the head's channels
template <class T>
void head_features_naive(const HeadFeaturesSize& size, const std::array<const T*, 4>& parts,
                         const std::vector<T>& epsilons, const std::vector<T>& alphas, T* y) {
  for (Index row = 0; row < size.rows; ++row) {
    for (Index head = 0; head < size.heads; ++head) {
      for (std::size_t part = 0; part < 4; ++part) {
        for (Index c = 0; c < size.dim; ++c) {
          const auto at = static_cast<std::size_t>(head);
          const T factor = part == 0 ? 1 + epsilons[at] : part == 1 ? alphas[at] : T{1};
          *y++ = factor * parts[part][row * size.width() + head * size.dim + c];
        }
      }
    }
  }
}

}  // namespace weft::kernels
