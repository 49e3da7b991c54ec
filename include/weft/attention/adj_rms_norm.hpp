// SPDX-License-Identifier: Apache-2.0
/// \file
/// A norm for adjacencies.
#pragma once

#include <optional>

#include "weft/layers/initialize.hpp"
#include "weft/ops/adj_rms_norm/adj_rms_norm.hpp"

namespace weft {

/// y = weight x / sqrt(mean(x²) + eps), one mean for each sample (AdjRMSNorm). `LlamaAttentionGIN` carries its parameter, as
/// the reference does, but never applies it. Parameter: `weight` [], unless `scalar_weight` is false.
template <class T = float, class DeviceType = Cpu>
class AdjRMSNorm {
 public:
  std::optional<Parameter<T, Shape<>, DeviceType>> weight;

  explicit AdjRMSNorm(double eps = 1e-8, bool scalar_weight = true) : eps_(eps) {
    if (!scalar_weight) return;
    weight.emplace(Shape<>());
    fill_constant(*weight, T{1});
  }

  /// \param x  [batch, ...]
  template <class Context, class X>
  auto operator()(Context& context, const X& x) const {
    return adj_rms_norm(context, x, weight, eps_);
  }

  void initialize(Rng& /*rng*/, double /*standard_deviation*/) {}

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    if (self.weight) visit(ParameterName(prefix + "weight"), *self.weight);
  }

 private:
  double eps_;
};

}  // namespace weft
