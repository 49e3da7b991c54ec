// SPDX-License-Identifier: Apache-2.0
/// \file
/// The linear layer.
#pragma once

#include <optional>

#include "weft/layers/initialize.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

/// y = x weightᵀ (+ bias), as torch.nn.Linear. Parameters: `weight` [out, in], `bias` [out] where asked for.
template <auto InFeatures, auto OutFeatures, class T = float, class DeviceType = Cpu>
class Linear {
 public:
  Parameter<T, Shape<OutFeatures, InFeatures>, DeviceType> weight;
  std::optional<Parameter<T, Shape<OutFeatures>, DeviceType>> bias;

  /// All parameters are zero until `initialize` or a checkpoint sets them. Extents in the type need not be given.
  explicit Linear(bool with_bias = false, Index in_features = 0, Index out_features = 0)
      : weight(Shape<OutFeatures, InFeatures>::from({resolve_extent<OutFeatures>(out_features, "Linear: out_features"),
                                                     resolve_extent<InFeatures>(in_features, "Linear: in_features")})) {
    if (with_bias) bias.emplace(Shape<OutFeatures>::from({weight.extent(0)}));
  }

  /// \param x         [..., in]
  /// \param residual  [..., out], added to the result, or `none`
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const Residual& residual = none) const {
    return linear(context, x, weight, bias, residual);
  }

  /// Weights from N(0, standard_deviation²), bias 0 (Hugging Face's Llama).
  void initialize(Rng& rng, double standard_deviation) {
    fill_normal(weight, rng, standard_deviation);
    if (bias) fill_constant(*bias, T{0});
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName(prefix + "weight"), self.weight);
    if (self.bias) visit(ParameterName(prefix + "bias"), *self.bias);
  }
};

}  // namespace weft
