// SPDX-License-Identifier: Apache-2.0
/// \file
/// Attention with the logarithm of an adjacency as offset, by its definition: what the fast kernel is compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "weft/ops/offset_attention/offset_attention_kernels.hpp"

namespace weft::kernels {

/// y = softmax(scale q kᵀ + log(max(A, 0) + 1e-9)) v; with a hard mask over edges alone, and 0 where a row has none.
template <class T>
void offset_attention_naive(const OffsetAttentionInput<T>& in, T* y) {
  const OffsetAttentionSize& size = in.size;
  std::vector<double> w(static_cast<std::size_t>(size.keys));
  for (Index at = 0; at < size.batch * size.heads * size.queries; ++at) {
    const Index i = at % size.queries, head = at / size.queries % size.heads, b = at / size.queries / size.heads;
    const T* q = in.q + (b * size.queries + i) * size.width() + head * size.dim;
    const auto row = [&](const T* x, Index j) { return x + (b * size.keys + j) * size.width() + head * size.dim; };
    double sum = 0;
    for (Index j = 0; j < size.keys; ++j) {
      const double edge = std::max(0.0, static_cast<double>(in.a[at * size.keys + j]));
      double score = std::log(edge + 1e-9);
      for (Index c = 0; c < size.dim; ++c) score += static_cast<double>(in.scale * q[c]) * row(in.k, j)[c];
      const std::int32_t* first = in.first_key != nullptr ? in.first_key + b * size.keys : nullptr;
      const bool together = first == nullptr || first[i] == first[j];
      const bool counts = together && (in.mask == FutureMask::soft_log || edge > 0);
      sum += w[static_cast<std::size_t>(j)] = counts ? std::exp(score) : 0;
    }
    for (Index c = 0; c < size.dim; ++c) {
      double total = 0;
      for (Index j = 0; j < size.keys; ++j) total += w[static_cast<std::size_t>(j)] * row(in.v, j)[c];
      y[(b * size.queries + i) * size.width() + head * size.dim + c] = static_cast<T>(sum > 0 ? total / sum : 0);
    }
  }
}

}  // namespace weft::kernels
