// SPDX-License-Identifier: Apache-2.0
/// \file
/// Norms over many tensors by their definition: what the fast kernels are compared with.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// Σ x², in double from the first value to the last
template <class T>
double sum_of_squares_naive(Index count, const T* values) {
  double sum = 0;
  for (Index i = 0; i < count; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

}  // namespace weft::kernels
