// SPDX-License-Identifier: Apache-2.0
/// \file
/// `gumbel_sigmoid` on the CPU.
#pragma once

#include <cmath>

#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/gumbel_sigmoid/gumbel_sigmoid_kernels.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/rng.hpp"

namespace weft {

namespace kernels {

/// Gumbel noise of a uniform number: -ln(-ln(u + eps) + eps).
template <class T>
T gumbel_noise(T uniform, T eps) {
  return -std::log(-std::log(uniform + eps) + eps);
}

}  // namespace kernels

template <>
struct GumbelSigmoidKernels<Cpu> {
  /// y = σ((logit + g₁ - g₀) / tau) with g of `uniform(2 i)` and `uniform(2 i + 1)`.
  template <class T, class Uniform>
  static void forward(Index count, const T* logits, const Uniform& uniform, T tau, T eps, T* y) {
    parallel_for(count, 2048, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const T first = kernels::gumbel_noise<T>(uniform(2 * i), eps);
        const T second = kernels::gumbel_noise<T>(uniform(2 * i + 1), eps);
        y[i] = 1 / (1 + std::exp(-(logits[i] + second - first) / tau));
      }
    });
  }

  /// dlogits = dy y (1 - y) / tau
  template <class T>
  static void backward(Index count, const T* y, const T* dy, T tau, GradientTarget<T> dlogits) {
    const kernels::Vector<T> one(T{1});
    const kernels::Vector<T> factor(1 / tau);
    kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
      const kernels::Vector<T> value = access.load(y + i);
      kernels::store_gradient(dlogits, i, kernels::Vector<T>(access.load(dy + i) * value * (one - value) * factor),
                              access);
    });
  }
};

}  // namespace weft
