// SPDX-License-Identifier: Apache-2.0
/// \file
/// No feed-forward block.
#pragma once

#include <string>

#include "weft/autograd/parameter.hpp"
#include "weft/ops/add/add.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

/// x as it is (the reference's `no_MLP`, an Identity). Without parameters.
class NoMLP {
 public:
  /// \param residual  of the shape of x, added to it, or `none`
  template <class Context, class X, class Residual = None>
  auto operator()(Context& context, const X& x, const Residual& residual = none) const {
    if constexpr (std::is_same_v<Residual, None>) {
      return x;
    } else {
      return add(context, x, residual);
    }
  }

  void initialize(Rng& /*rng*/, double /*standard_deviation*/) {}

  template <class Self, class Visit>
  static void visit_parameters(Self& /*self*/, Visit&& /*visit*/, const std::string& /*prefix*/) {}
};

}  // namespace weft
