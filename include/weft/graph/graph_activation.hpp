// SPDX-License-Identifier: Apache-2.0
/// \file
/// The activation functions of graph layers; one of them is learned.
#pragma once

#include <optional>

#include "weft/layers/initialize.hpp"
#include "weft/ops/activation/activation.hpp"
#include "weft/ops/prelu/prelu.hpp"

namespace weft {

/// `activation` of the reference's GNNConfig.
enum class GraphActivation { relu, tanh, gelu, prelu };

/// The slope of a PReLU: [1], 0.25 at the start.
template <class T, class DeviceType>
using PReLUSlope = std::optional<Parameter<T, Shape<1>, DeviceType>>;

/// A slope where the activation has one.
template <class T, class DeviceType>
PReLUSlope<T, DeviceType> make_slope(GraphActivation activation) {
  PReLUSlope<T, DeviceType> slope;
  if (activation == GraphActivation::prelu) {
    slope.emplace(Shape<1>());
    fill_constant(*slope, static_cast<T>(0.25));
  }
  return slope;
}

/// y = activation(x), element by element; the erf form of GELU.
template <class Context, class X, class Slope>
auto activate(Context& context, const X& x, GraphActivation activation, const Slope& slope) {
  switch (activation) {
    case GraphActivation::relu:
      return activate(context, x, Activation::relu);
    case GraphActivation::tanh:
      return activate(context, x, Activation::tanh);
    case GraphActivation::gelu:
      return activate(context, x, Activation::gelu);
    case GraphActivation::prelu:
      if (slope) return prelu(context, x, *slope);
  }
  fail("activate(x, activation, slope): activation must be relu, tanh, gelu, or prelu with a slope");
}

}  // namespace weft
