// SPDX-License-Identifier: Apache-2.0
/// \file
/// Layer normalisation.
#pragma once

#include "weft/layers/initialize.hpp"
#include "weft/ops/layer_norm/layer_norm.hpp"

namespace weft {

/// y = weight (x - mean) / sqrt(variance + eps) + bias over the last axis (torch.nn.LayerNorm; Ba, Kiros and Hinton,
/// arXiv 1607.06450). Parameters: `weight` [features], 1 at the start, `bias` [features], 0 at the start.
template <auto Features, class T = float, class DeviceType = Cpu>
class LayerNorm {
 public:
  Parameter<T, Shape<Features>, DeviceType> weight;
  Parameter<T, Shape<Features>, DeviceType> bias;

  explicit LayerNorm(double eps = 1e-5, Index features = 0)
      : weight(Shape<Features>::from({resolve_extent<Features>(features, "LayerNorm: features")})),
        bias(weight.shape()),
        eps_(eps) {
    fill_constant(weight, T{1});
  }

  /// \param x  [..., features]
  template <class Context, class X>
  auto operator()(Context& context, const X& x) const {
    return layer_norm(context, x, weight, bias, eps_);
  }

  double eps() const { return eps_; }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName::of_norm(prefix + "weight"), self.weight);
    visit(ParameterName::of_norm(prefix + "bias"), self.bias);
  }

 private:
  double eps_;
};

}  // namespace weft
