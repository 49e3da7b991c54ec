// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rotary embedding by its definition: what the fast kernel is compared with.
#pragma once

#include "weft/ops/rotary/rotary_kernels.hpp"

namespace weft::kernels {

/// y = x cos + rotate_half(x) sin, rotate_half(x) = [-x_high, x_low]; or y = M x with M the transpose of that map.
template <class T>
void rotary_naive(const RotarySize& size, Rotation rotation, const T* x, const T* cos, const T* sin, T* y) {
  const Index half = size.head_dim / 2;
  for (Index row = 0; row < size.rows(); ++row) {
    const T* c = cos + size.table_offset(row);
    const T* s = sin + size.table_offset(row);
    for (Index head = 0; head < size.heads; ++head) {
      const T* from = x + (row * size.heads + head) * size.head_dim;
      T* to = y + (row * size.heads + head) * size.head_dim;
      for (Index i = 0; i < half; ++i) {
        const Index j = i + half;
        if (rotation == Rotation::forward) {
          to[i] = from[i] * c[i] - from[j] * s[i];
          to[j] = from[j] * c[j] + from[i] * s[j];
        } else {
          to[i] = from[i] * c[i] + from[j] * s[j];
          to[j] = from[j] * c[j] - from[i] * s[i];
        }
      }
    }
  }
}

}  // namespace weft::kernels
