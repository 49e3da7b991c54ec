// SPDX-License-Identifier: Apache-2.0
/// \file
/// The norm of adjacencies by its definition: what the fast kernel is compared with.
#pragma once

#include <cmath>

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// y = weight x / sqrt(mean(x²) + eps), the mean over all `count` entries of a sample
template <class T>
void adj_rms_norm_naive(Index samples, Index count, double eps, T weight, const T* x, T* y) {
  for (Index sample = 0; sample < samples; ++sample) {
    T squares = 0;
    for (Index i = 0; i < count; ++i) squares += x[sample * count + i] * x[sample * count + i];
    const T rms = std::sqrt(squares / static_cast<T>(count) + static_cast<T>(eps));
    for (Index i = 0; i < count; ++i) y[sample * count + i] = weight * x[sample * count + i] / rms;
  }
}

}  // namespace weft::kernels
