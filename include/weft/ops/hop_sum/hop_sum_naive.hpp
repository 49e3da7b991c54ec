// SPDX-License-Identifier: Apache-2.0
/// \file
/// The sum over hops by its definition, with powers of the adjacency: what the fast kernel is compared with.
#pragma once

#include <vector>

#include "weft/ops/head_aggregate/head_aggregate_naive.hpp"

namespace weft::kernels {

/// y = (1 + epsilon) x + Σ alphas[k - 1] Aᵏ x, the same numbers for every head; A is [batch, heads, tokens, tokens].
template <class T>
void hop_sum_naive(const HeadAggregateSize& size, T epsilon, const std::vector<T>& alphas, const T* a, const T* x,
                   T* y) {
  const Index count = size.batch * size.queries * size.width();
  std::vector<T> from(x, x + count), to(from.size());
  for (Index i = 0; i < count; ++i) y[i] = (1 + epsilon) * x[i];
  for (const T alpha : alphas) {
    head_aggregate_naive(size, a, from.data(), to.data());
    for (Index i = 0; i < count; ++i) y[i] += alpha * to[static_cast<std::size_t>(i)];
    from.swap(to);
  }
}

}  // namespace weft::kernels
