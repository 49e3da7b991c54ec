// SPDX-License-Identifier: Apache-2.0
/// \file
/// AdamW by its definition.
#pragma once

#include <cmath>

#include "weft/ops/adamw/adamw_kernels.hpp"

namespace weft::kernels {

/// Loshchilov and Hutter, arXiv 1711.05101, algorithm 2, as torch.optim.AdamW orders it.
template <class T>
void adamw_naive(const AdamWStep& step, Index count, const T* gradient, T* value, T* first_moment, T* second_moment) {
  for (Index i = 0; i < count; ++i) {
    const double g = static_cast<double>(gradient[i]);
    const double m = step.beta1 * static_cast<double>(first_moment[i]) + (1 - step.beta1) * g;
    const double v = step.beta2 * static_cast<double>(second_moment[i]) + (1 - step.beta2) * g * g;
    const double decayed = static_cast<double>(value[i]) * step.keep();
    value[i] = static_cast<T>(decayed - step.rate() * m / (std::sqrt(v) * step.second_scale() + step.epsilon));
    first_moment[i] = static_cast<T>(m);
    second_moment[i] = static_cast<T>(v);
  }
}

}  // namespace weft::kernels
