// SPDX-License-Identifier: Apache-2.0
/// \file
/// The small networks of a CausalPNALayer.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "weft/graph/graph_activation.hpp"
#include "weft/layers/linear.hpp"

namespace weft {

/// Weight and bias uniform in ± 1 / sqrt(inputs), each from a stream of its own (PyTorch Geometric's Linear).
template <auto InFeatures, auto OutFeatures, class T, class DeviceType>
void initialize_uniform(Linear<InFeatures, OutFeatures, T, DeviceType>& linear, Rng& rng) {
  const double bound = 1 / std::sqrt(static_cast<double>(std::max<Index>(1, linear.weight.extent(1))));
  const auto fill = [&](auto& parameter) {
    const Rng stream = rng.next_stream();
    std::vector<T> values(static_cast<std::size_t>(parameter.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<T>(bound * (2 * static_cast<double>(stream.uniform(i)) - 1));
    }
    parameter.value().assign(values);
  };
  fill(linear.weight);
  if (linear.bias) fill(*linear.bias);
}

/// Linear layers with an activation between: from `in` to `out` features, further ones from `out` to `out`. Parameters:
/// `0.{weight, bias}`, `2.{weight, bias}`, ..., as in a torch.nn.Sequential with the activations at odd places.
template <class T = float, class DeviceType = Cpu>
class PNANetwork {
 public:
  std::vector<Linear<Dyn, Dyn, T, DeviceType>> layers;

  PNANetwork(GraphActivation activation, Index count, Index in, Index out) : activation_(activation) {
    for (Index i = 0; i < count; ++i) layers.emplace_back(true, i == 0 ? in : out, out);
  }

  /// \param x  [rows, in]
  /// \return   [rows, out]
  template <class Context, class X>
  auto operator()(Context& context, const X& x) const {
    auto h = layers.front()(context, x);
    const PReLUSlope<T, DeviceType> no_slope;
    for (std::size_t i = 1; i < layers.size(); ++i) {
      h = layers[i](context, activate(context, h, activation_, no_slope));
    }
    return h;
  }

  void initialize(Rng& rng) {
    for (auto& layer : layers) initialize_uniform(layer, rng);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for (std::size_t i = 0; i < self.layers.size(); ++i) {
      for_each_parameter(self.layers[i], visit, concat(prefix, 2 * i, "."));
    }
  }

 private:
  GraphActivation activation_;
};

}  // namespace weft
