// SPDX-License-Identifier: Apache-2.0
/// \file
/// Root-mean-square normalisation.
#pragma once

#include "weft/layers/initialize.hpp"
#include "weft/ops/rms_norm/rms_norm.hpp"

namespace weft {

/// y = weight * x / sqrt(mean(x²) + eps) over the last axis (LlamaRMSNorm; Zhang and Sennrich, arXiv 1910.07467).
/// Parameter: `weight` [features], 1 at the start.
template <auto Features, class T = float, class DeviceType = Cpu>
class RMSNorm {
 public:
  Parameter<T, Shape<Features>, DeviceType> weight;

  explicit RMSNorm(double eps = 1e-5, Index features = 0)
      : weight(Shape<Features>::from({resolve_extent<Features>(features, "RMSNorm: features")})), eps_(eps) {
    fill_constant(weight, T{1});
  }

  /// \param x  [..., features]
  template <class Context, class X>
  auto operator()(Context& context, const X& x) const {
    return rms_norm(context, x, weight, eps_);
  }

  double eps() const { return eps_; }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    visit(ParameterName::of_norm(prefix + "weight"), self.weight);
  }

 private:
  double eps_;
};

}  // namespace weft
