// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rectifier with a learned slope by its definition: what the fast kernels are compared with.
#pragma once

#include <algorithm>

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// y = max(x, 0) + slope min(x, 0)
template <class T>
void prelu_naive(Index count, const T* x, T slope, T* y) {
  for (Index i = 0; i < count; ++i) y[i] = std::max(x[i], T{0}) + slope * std::min(x[i], T{0});
}

}  // namespace weft::kernels
