// SPDX-License-Identifier: Apache-2.0
/// \file
/// Norms over many tensors, on Thrust devices.
#pragma once

#include "weft/ops/global_norm/global_norm_kernels.hpp"
#include "weft/ops/thrust_loop.hpp"

namespace weft {

namespace kernels {

/// One term of Σ x²
template <class T>
struct SquareTerm {
  const T* values;

  WEFT_HOST_DEVICE double operator()(Index i) const {
    const double x = static_cast<double>(values[i]);
    return x * x;
  }
};

/// x *= factor
template <class T>
struct ScaleInPlace {
  T factor;
  T* values;

  WEFT_HOST_DEVICE void operator()(Index i) const { values[i] *= factor; }
};

}  // namespace kernels

template <>
struct GlobalNormKernels<Thrust> {
  template <class T>
  static double sum_of_squares(Index count, const T* values) {
    double* sum = Thrust::scratch<GlobalNormKernels, double>(1);
    kernels::thrust_fold(count, 0.0, kernels::SquareTerm<T>{values}, kernels::Plus{}, sum);
    return kernels::from_device(sum);
  }

  template <class T>
  static void scale(Index count, double factor, T* values) {
    Thrust::for_each_index(count, kernels::ScaleInPlace<T>{static_cast<T>(factor), values});
  }
};

}  // namespace weft
