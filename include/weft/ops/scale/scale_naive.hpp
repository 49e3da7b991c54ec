// SPDX-License-Identifier: Apache-2.0
/// \file
/// Scaling by its definition: what the fast kernels are compared with.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// y = factor x
template <class T>
void scale_naive(Index count, const T* x, T factor, T* y) {
  for (Index i = 0; i < count; ++i) y[i] = factor * x[i];
}

/// dx = factor dy; returns dfactor = Σ dy x.
template <class T>
T scale_backward_naive(Index count, const T* x, T factor, const T* dy, T* dx) {
  double dfactor = 0;
  for (Index i = 0; i < count; ++i) {
    dx[i] = factor * dy[i];
    dfactor += static_cast<double>(dy[i]) * static_cast<double>(x[i]);
  }
  return static_cast<T>(dfactor);
}

}  // namespace weft::kernels
