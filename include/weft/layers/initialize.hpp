// SPDX-License-Identifier: Apache-2.0
/// \file
/// How parameters get their first values.
#pragma once

#include <vector>

#include "weft/autograd/parameter.hpp"
#include "weft/tensor/rng.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
[[gnu::noinline]] void fill_normal(T* elements, Index size, Rng stream, double standard_deviation) {
  std::vector<T> values(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(standard_deviation * stream.normal(i));
  DeviceType::copy_to_device(elements, values.data(), values.size() * sizeof(T));
}

template <class T, class DeviceType>
[[gnu::noinline]] void fill_constant(T* elements, Index size, T value) {
  const std::vector<T> values(static_cast<std::size_t>(size), value);
  DeviceType::copy_to_device(elements, values.data(), values.size() * sizeof(T));
}

}  // namespace detail

/// N(0, standard_deviation²), from a stream of its own: a parameter's values do not depend on the sizes of others.
template <class T, class ShapeType, class DeviceType>
void fill_normal(Parameter<T, ShapeType, DeviceType>& parameter, Rng& rng, double standard_deviation) {
  detail::fill_normal<T, DeviceType>(parameter.data(), parameter.size(), rng.next_stream(), standard_deviation);
}

/// Every element becomes `value`.
template <class T, class ShapeType, class DeviceType>
void fill_constant(Parameter<T, ShapeType, DeviceType>& parameter, T value) {
  detail::fill_constant<T, DeviceType>(parameter.data(), parameter.size(), value);
}

}  // namespace weft
