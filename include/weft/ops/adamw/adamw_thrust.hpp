// SPDX-License-Identifier: Apache-2.0
/// \file
/// AdamW on Thrust devices: one thread an element.
#pragma once

#include <cmath>

#include "weft/ops/adamw/adamw_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// m = β₁ m + (1 - β₁) g;  v = β₂ v + (1 - β₂) g²;  w = (1 - η λ) w - η m̂ / (sqrt(v̂) + ε)
template <class T>
struct AdamWElement {
  T beta1;
  T rest1;
  T beta2;
  T rest2;
  T keep;
  T rate;
  T second_scale;
  T epsilon;
  const T* gradient;
  T* value;
  T* first_moment;
  T* second_moment;

  WEFT_HOST_DEVICE void operator()(Index i) const {
    const T g = gradient[i];
    const T m = beta1 * first_moment[i] + rest1 * g;
    const T v = beta2 * second_moment[i] + rest2 * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    value[i] = keep * value[i] - rate * m / (std::sqrt(v) * second_scale + epsilon);
  }
};

}  // namespace kernels

template <>
struct AdamWKernels<Thrust> {
  template <class T>
  static void update(const AdamWStep& step, Index count, const T* gradient, T* value, T* first_moment,
                     T* second_moment) {
    const auto number = [](double exact) { return static_cast<T>(exact); };
    Thrust::for_each_index(
        count,
        kernels::AdamWElement<T>{number(step.beta1), number(1 - step.beta1), number(step.beta2), number(1 - step.beta2),
                                 number(step.keep()), number(step.rate()), number(step.second_scale()),
                                 number(step.epsilon), gradient, value, first_moment, second_moment});
  }
};

}  // namespace weft
