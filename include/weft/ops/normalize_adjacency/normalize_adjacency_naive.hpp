// SPDX-License-Identifier: Apache-2.0
/// \file
/// The normalisation of adjacencies by its definition, as a product of matrices: what the fast kernel is compared with.
#pragma once

#include <cmath>
#include <vector>

#include "weft/tensor/types.hpp"

namespace weft::kernels {

/// y = (D^(-1/2) (a m) D^(-1/2)) m with the diagonal matrix D of the row sums of a m, whose power is 0 where the sum is
template <class T>
void normalize_adjacency_naive(Index matrices, Index nodes, const T* a, const T* mask, T* y) {
  const auto n = static_cast<std::size_t>(nodes);
  for (Index matrix = 0; matrix < matrices; ++matrix) {
    std::vector<T> masked(n * n), roots(n * n, T{0}), left(n * n, T{0});
    for (std::size_t i = 0; i < n * n; ++i) masked[i] = a[static_cast<std::size_t>(matrix) * n * n + i] * mask[i];
    for (std::size_t i = 0; i < n; ++i) {
      T degree = 0;
      for (std::size_t j = 0; j < n; ++j) degree += masked[i * n + j];
      roots[i * n + i] = degree == T{0} ? T{0} : std::pow(degree, T(-0.5));
    }
    const auto product = [&](const std::vector<T>& p, const std::vector<T>& q, std::size_t i, std::size_t j) {
      T sum = 0;
      for (std::size_t k = 0; k < n; ++k) sum += p[i * n + k] * q[k * n + j];
      return sum;
    };
    for (std::size_t i = 0; i < n * n; ++i) left[i] = product(roots, masked, i / n, i % n);
    for (std::size_t i = 0; i < n * n; ++i) {
      y[static_cast<std::size_t>(matrix) * n * n + i] = product(left, roots, i / n, i % n) * mask[i];
    }
  }
}

}  // namespace weft::kernels
