// SPDX-License-Identifier: Apache-2.0
/// \file
/// Linear maps of groups by their definition: what the fast kernel is compared with.
#pragma once

#include "weft/ops/grouped_linear/grouped_linear_kernels.hpp"

namespace weft::kernels {

/// y[r, g, o] = Σᵢ x[r, g, i] weight_g[o, i] + c[r, g] bias_g[o], where c is 1 when null.
template <class T>
void grouped_linear_naive(const GroupedLinearSize& size, const T* x, const GroupedLinearPart<T>* parts, const T* c,
                          T* y) {
  for (Index at = 0; at < size.rows * size.groups; ++at) {
    const GroupedLinearPart<T>& part = parts[at % size.groups];
    for (Index o = 0; o < size.out_features; ++o) {
      double sum = 0;
      for (Index i = 0; i < size.in_features; ++i) {
        sum += static_cast<double>(x[at * size.in_features + i]) *
               static_cast<double>(part.weight.data[o * size.in_features + i]);
      }
      if (part.bias.data != nullptr) sum += static_cast<double>(part.bias.data[o]) * (c != nullptr ? c[at] : T{1});
      y[at * size.out_features + o] = static_cast<T>(sum);
    }
  }
}

}  // namespace weft::kernels
