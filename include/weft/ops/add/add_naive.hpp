// SPDX-License-Identifier: Apache-2.0
/// \file
/// The sum by its definition: what the fast kernel is compared with.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// y = a + b
template <class T>
void add_naive(Index count, const T* a, const T* b, T* y) {
  for (Index i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

}  // namespace weft::kernels
