// SPDX-License-Identifier: Apache-2.0
/// \file
/// Four aggregates of neighbours by their definition: what the fast kernels are compared with.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "weft/ops/pna/pna_input.hpp"

namespace weft::kernels {

/// The aggregates of one node, [4, dim].
///
/// \param keys  of the row p of the adjacency, and rows of x [keys, dim]
/// \param own   the node's own position among the keys
template <class T>
std::vector<double> pna_naive(const PNAAttentionRules& rules, double threshold, Index keys, Index dim, Index own,
                              const T* p, const T* x) {
  const auto value = [&](Index j, Index c) { return static_cast<double>(x[j * dim + c]); };
  std::vector<double> y(static_cast<std::size_t>(4 * dim));
  double degree = 0;
  bool any = false;
  Index longest = -1, shortest = -1;
  std::vector<double> norms(static_cast<std::size_t>(keys));
  for (Index j = 0; j < keys; ++j) {
    degree += static_cast<double>(p[j]);
    any = any || p[j] > 0;
    double square = 0;
    for (Index c = 0; c < dim; ++c) square += value(j, c) * value(j, c);
    norms[static_cast<std::size_t>(j)] = square;
    if (!(p[j] > (rules.negative_threshold ? threshold : std::max(0.0, threshold)))) continue;
    if (longest < 0 || square > norms[static_cast<std::size_t>(longest)]) longest = j;
    if (shortest < 0 || square < norms[static_cast<std::size_t>(shortest)]) shortest = j;
  }
  if (degree == 0) {
    longest = shortest = own;
  } else if (longest < 0) {
    longest = shortest = rules.fallback == PNAFallback::self ? own : 0;
  }
  const double divisor = degree == 0 ? 1 : degree;
  for (Index c = 0; c < dim; ++c) {
    double sum = 0, squares = 0, largest = -std::numeric_limits<double>::infinity();
    for (Index j = 0; j < keys; ++j) {
      sum += static_cast<double>(p[j]) * value(j, c);
      squares += static_cast<double>(p[j]) * value(j, c) * value(j, c);
      if (p[j] > 0) largest = std::max(largest, value(j, c));
    }
    if (any && rules.max == PNAMax::self) largest = value(own, c);
    if (!any && rules.empty_max == PNAEmptyMax::guard) largest = 0;
    const double mean = sum / divisor;
    const double variance = std::max(squares / divisor - mean * mean, 0.0);
    const double parts[2][4] = {
        {sum, mean, largest, variance},
        {mean, rules.selects() ? value(longest, c) : 0, variance, rules.selects() ? value(shortest, c) : 0}};
    for (Index part = 0; part < 4; ++part) {
      y[static_cast<std::size_t>(part * dim + c)] = parts[rules.selects() ? 1 : 0][part];
    }
  }
  return y;
}

}  // namespace weft::kernels
