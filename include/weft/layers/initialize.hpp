// SPDX-License-Identifier: Apache-2.0
/// \file
/// How parameters get their first values.
#pragma once

#include <vector>

#include "weft/autograd/parameter.hpp"
#include "weft/tensor/rng.hpp"

namespace weft {

/// N(0, standard_deviation²), from a stream of its own: a parameter's values do not depend on the sizes of others.
template <class T, class ShapeType, class DeviceType>
void fill_normal(Parameter<T, ShapeType, DeviceType>& parameter, Rng& rng, double standard_deviation) {
  const Rng stream = rng.next_stream();
  std::vector<T> values(static_cast<std::size_t>(parameter.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(standard_deviation * stream.normal(i));
  parameter.value().assign(values);
}

/// Every element becomes `value`.
template <class T, class ShapeType, class DeviceType>
void fill_constant(Parameter<T, ShapeType, DeviceType>& parameter, T value) {
  parameter.value().assign(std::vector<T>(static_cast<std::size_t>(parameter.size()), value));
}

}  // namespace weft
