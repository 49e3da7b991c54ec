// SPDX-License-Identifier: Apache-2.0
/// \file
/// AdamW on the CPU: one sweep over four arrays.
#pragma once

#include "weft/ops/adamw/adamw_kernels.hpp"
#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct AdamWKernels<Cpu> {
  /// w *= 1 - η λ;  m = β₁ m + (1 - β₁) g;  v = β₂ v + (1 - β₂) g²;  w -= η m̂ / (sqrt(v̂) + ε)
  template <class T>
  static void update(const AdamWStep& step, Index count, const T* gradient, T* value, T* first_moment,
                     T* second_moment) {
    using V = kernels::Vector<T>;
    const V keep(static_cast<T>(step.keep()));
    const V rate(static_cast<T>(step.rate()));
    const V second_scale(static_cast<T>(step.second_scale()));
    const V epsilon(static_cast<T>(step.epsilon));
    const V beta1(static_cast<T>(step.beta1));
    const V rest1(static_cast<T>(1 - step.beta1));
    const V beta2(static_cast<T>(step.beta2));
    const V rest2(static_cast<T>(1 - step.beta2));
    kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
      const V g = access.load(gradient + i);
      const V m = xsimd::fma(beta1, access.load(first_moment + i), rest1 * g);
      const V v = xsimd::fma(beta2, access.load(second_moment + i), rest2 * g * g);
      const V denominator = xsimd::fma(xsimd::sqrt(v), second_scale, epsilon);
      access.store(first_moment + i, m);
      access.store(second_moment + i, v);
      access.store(value + i, V(keep * access.load(value + i) - rate * m / denominator));
    });
  }
};

}  // namespace weft
