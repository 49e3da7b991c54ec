// SPDX-License-Identifier: Apache-2.0
/// \file
/// The product by its definition: what the fast kernel is compared with.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// y = a b
template <class T>
void multiply_naive(Index count, const T* a, const T* b, T* y) {
  for (Index i = 0; i < count; ++i) y[i] = a[i] * b[i];
}

/// da = dy b,  db = dy a
template <class T>
void multiply_backward_naive(Index count, const T* a, const T* b, const T* dy, T* da, T* db) {
  for (Index i = 0; i < count; ++i) {
    da[i] = dy[i] * b[i];
    db[i] = dy[i] * a[i];
  }
}

}  // namespace weft::kernels
