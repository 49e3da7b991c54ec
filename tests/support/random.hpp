// SPDX-License-Identifier: Apache-2.0
/// \file
/// Random tensors for tests.
#pragma once

#include <cmath>

#include "weft/autograd/parameter.hpp"
#include "weft/tensor/rng.hpp"
#include "weft/tensor/tensor.hpp"

namespace weft::testing {

/// Standard normal values; each seed gives its own.
template <class T, class ShapeType>
Tensor<T, ShapeType> random_tensor(const ShapeType& shape, std::uint64_t seed, double scale = 1) {
  Tensor<T, ShapeType> tensor(shape);
  const Rng rng(seed);
  for (Index i = 0; i < tensor.size(); ++i) {
    tensor.data()[i] = static_cast<T>(scale * rng.normal(static_cast<std::uint64_t>(i)));
  }
  return tensor;
}

/// Fills every parameter of a layer with normal values, so that swapped roles show. A sharpening factor is positive: another one
/// turns masks round (quirk A11), which has tests of its own.
template <class Layer>
void randomize_parameters(Layer& layer, std::uint64_t seed, double scale = 1) {
  Layer::visit_parameters(
      layer,
      [&](const ParameterName& name, auto& parameter) {
        const Rng rng(seed++);
        using T = typename std::remove_cvref_t<decltype(parameter)>::Element;
        for (Index i = 0; i < parameter.size(); ++i) {
          parameter.data()[i] = static_cast<T>(scale * rng.normal(static_cast<std::uint64_t>(i)));
        }
        if (!name.name.ends_with("sharpening_parameters.0")) return;
        for (Index i = 0; i < parameter.size(); ++i) parameter.data()[i] = std::abs(parameter.data()[i]) + T(0.1);
      },
      "");
}

}  // namespace weft::testing
