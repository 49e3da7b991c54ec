// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the comparisons of fast with naive forms share: expected values in a wider type, errors in units of epsilon.
#pragma once

#include "ops/row_checks.hpp"
#include "support/layer_checks.hpp"

namespace weft::testing {

/// The values of a tensor in the type in which expected ones are computed.
template <class X>
auto wide(const X& x) {
  using T = std::remove_const_t<typename X::Element>;
  return std::vector<Wide<T>>(x.data(), x.data() + x.size());
}

/// sqrt(Σ x²)
template <class T>
double norm_of(const std::vector<T>& values) {
  double squares = 0;
  for (const T value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares);
}

/// The largest |found - expected| in units of epsilon times `scale`; infinite where one is NaN or the sizes differ.
template <class X, class Expected>
double error_in_epsilons(const X& found, const std::vector<Expected>& expected, double scale) {
  using T = std::remove_const_t<typename X::Element>;
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (found.size() != static_cast<Index>(expected.size())) return infinite;
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(static_cast<double>(static_cast<Expected>(found.data()[i]) - expected[i]));
    if (std::isnan(error)) return infinite;
    largest = std::max(largest, error);
  }
  return largest == 0 ? 0 : largest / (epsilon<T> * scale);
}

}  // namespace weft::testing
