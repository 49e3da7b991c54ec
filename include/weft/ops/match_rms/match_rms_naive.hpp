// SPDX-License-Identifier: Apache-2.0
/// \file
/// Bringing one tensor to the size of another by its definition: what the fast kernels are compared with.
#pragma once

#include <cmath>

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// y = x rms(z) / rms(x); 0 where x is 0 throughout
template <class T>
void match_rms_naive(Index count, const T* x, const T* z, T* y) {
  T x_squares = 0;
  T z_squares = 0;
  for (Index i = 0; i < count; ++i) {
    x_squares += x[i] * x[i];
    z_squares += z[i] * z[i];
  }
  for (Index i = 0; i < count; ++i) y[i] = x_squares == 0 ? T{0} : x[i] * std::sqrt(z_squares / x_squares);
}

}  // namespace weft::kernels
