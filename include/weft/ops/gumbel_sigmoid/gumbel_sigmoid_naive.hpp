// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random switches by their definition: what the fast kernels are compared with.
#pragma once

#include <cmath>

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// y_i = e^(a / tau) / (e^(a / tau) + e^(b / tau)), the softmax of the noisy logits a = logit_i + g₁ and b = g₀ of two
/// classes, with g = -ln(-ln(u + eps) + eps) of the uniform numbers 2 i (g₀) and 2 i + 1 (g₁)
template <class T>
void gumbel_sigmoid_naive(Index count, const T* logits, const T* uniforms, T tau, T eps, T* y) {
  const auto noise = [&](Index at) { return -std::log(-std::log(uniforms[at] + eps) + eps); };
  for (Index i = 0; i < count; ++i) {
    const T on = std::exp((logits[i] + noise(2 * i + 1)) / tau);
    const T off = std::exp(noise(2 * i) / tau);
    y[i] = on / (on + off);
  }
}

}  // namespace weft::kernels
