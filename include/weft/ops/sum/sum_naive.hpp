// SPDX-License-Identifier: Apache-2.0
/// \file
/// The sum of all elements by its definition: what the fast kernel is compared with.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// Σ x, from the first element to the last, in double.
template <class T>
T sum_naive(Index count, const T* x) {
  double sum = 0;
  for (Index i = 0; i < count; ++i) sum += static_cast<double>(x[i]);
  return static_cast<T>(sum);
}

}  // namespace weft::kernels
