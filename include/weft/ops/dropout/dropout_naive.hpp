// SPDX-License-Identifier: Apache-2.0
/// \file
/// Dropout by its definition: what the fast kernel is compared with.
#pragma once

#include "weft/tensor/rng.hpp"

namespace weft::kernels {

/// y = x / (1 - p) where the i-th uniform number is at least p, 0 elsewhere. Its derivative is the same map.
template <class T>
void dropout_naive(const Rng& rng, double probability, Index count, const T* x, T* y) {
  const T scale = static_cast<T>(1 / (1 - probability));
  for (Index i = 0; i < count; ++i) {
    const bool kept = static_cast<double>(rng.uniform(static_cast<std::uint64_t>(i))) >= probability;
    y[i] = x[i] * (kept ? scale : T{0});
  }
}

}  // namespace weft::kernels
