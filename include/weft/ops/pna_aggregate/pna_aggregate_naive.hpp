// SPDX-License-Identifier: Apache-2.0
/// \file
/// Statistics of messages by their definitions: what the fast kernel is compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "weft/ops/pna_aggregate/pna_aggregate_kernels.hpp"

namespace weft::kernels {

/// One statistic of the values of one feature; 0 where there are none.
template <class T>
T statistic_naive(PNAAggregator aggregator, const std::vector<T>& values) {
  if (values.empty()) return 0;
  const T count = static_cast<T>(values.size());
  T sum = 0;
  for (const T value : values) sum += value;
  switch (aggregator) {
    case PNAAggregator::mean:
      return sum / count;
    case PNAAggregator::min:
      return *std::min_element(values.begin(), values.end());
    case PNAAggregator::max:
      return *std::max_element(values.begin(), values.end());
    case PNAAggregator::sum:
      return sum;
    case PNAAggregator::std:
      break;
  }
  T variance = 0;
  for (const T value : values) variance += (value - sum / count) * (value - sum / count) / count;
  const T deviation = std::sqrt(std::max(variance, T(1e-5)));
  return deviation > std::sqrt(T(1e-5)) ? deviation : T{0};
}

/// A factor of the number of messages.
template <class T>
T scaler_naive(PNAScaler scaler, Index messages) {
  const T logarithm = std::log(static_cast<T>(std::max<Index>(messages, 1)) + 1);
  return scaler == PNAScaler::identity ? T{1} : scaler == PNAScaler::amplification ? logarithm : 1 / logarithm;
}

/// y[u] = every statistic of the messages into u times every factor, features innermost
template <class T>
void pna_aggregate_naive(const Graph& graph, Index features, const PNARules& rules, const T* messages, T* y) {
  for (Index u = 0; u < graph.nodes; ++u) {
    for (Index a = 0; a < rules.aggregators.count; ++a) {
      for (Index s = 0; s < rules.scalers.count; ++s) {
        for (Index f = 0; f < features; ++f) {
          std::vector<T> values;
          for (Index p = graph.target_begin[u]; p < graph.target_begin[u + 1]; ++p) {
            values.push_back(messages[p * features + f]);
          }
          const T factor = scaler_naive<T>(rules.scalers[s], static_cast<Index>(values.size()));
          *y++ = factor * statistic_naive(rules.aggregators[a], values);
        }
      }
    }
  }
}

}  // namespace weft::kernels
