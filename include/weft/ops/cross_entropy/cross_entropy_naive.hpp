// SPDX-License-Identifier: Apache-2.0
/// \file
/// Cross-entropy by its definition, in double: what the fast kernels are compared with.
#pragma once

#include <cmath>

#include "weft/ops/cross_entropy/cross_entropy_kernels.hpp"

namespace weft::kernels {

/// log Σⱼ exp(logits[j])
template <class T>
double log_sum_exp_naive(Index count, const T* logits) {
  double largest = logits[0];
  for (Index j = 1; j < count; ++j) largest = std::fmax(largest, static_cast<double>(logits[j]));
  double sum = 0;
  for (Index j = 0; j < count; ++j) sum += std::exp(static_cast<double>(logits[j]) - largest);
  return largest + std::log(sum);
}

/// Σ over rows of -log softmax(logits)[target]
template <class T, class Target>
CrossEntropySum cross_entropy_naive(const CrossEntropySize& size, const T* logits, const Target* targets) {
  CrossEntropySum result;
  for (Index row = 0; row < size.rows; ++row) {
    const Index target = target_of_row(size, targets, row);
    if (target < 0) continue;
    const T* values = logits + row * size.vocabulary;
    result.sum += log_sum_exp_naive(size.vocabulary, values) - static_cast<double>(values[target]);
    ++result.count;
  }
  return result;
}

/// dlogits[row] += scale (softmax(logits) - one_hot(target)) for the rows that count
template <class T, class Target>
void cross_entropy_backward_naive(const CrossEntropySize& size, const T* logits, const Target* targets, double scale,
                                  double* dlogits) {
  for (Index row = 0; row < size.rows; ++row) {
    const Index target = target_of_row(size, targets, row);
    if (target < 0) continue;
    const T* values = logits + row * size.vocabulary;
    const double log_sum_exp = log_sum_exp_naive(size.vocabulary, values);
    for (Index j = 0; j < size.vocabulary; ++j) {
      const double probability = std::exp(static_cast<double>(values[j]) - log_sum_exp);
      dlogits[row * size.vocabulary + j] += scale * (probability - (j == target ? 1 : 0));
    }
  }
}

}  // namespace weft::kernels
