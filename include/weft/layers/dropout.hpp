// SPDX-License-Identifier: Apache-2.0
/// \file
/// Dropout.
#pragma once

#include "weft/ops/dropout/dropout.hpp"

namespace weft {

/// Keeps each element with probability 1 - p and scales it by 1 / (1 - p), on a tape whose dropout is switched on
/// (`tape.enable_dropout`); the identity otherwise (Srivastava et al., JMLR 15, 2014). No parameters.
class Dropout {
 public:
  /// \param probability  in [0, 1)
  explicit Dropout(double probability = 0.5) : probability_(probability) {
    if (!(probability >= 0 && probability < 1)) {
      fail(concat("Dropout: the probability must be in [0, 1), found ", probability));
    }
  }

  template <class Context, class X>
  auto operator()(Context& context, const X& x) const {
    return dropout(context, x, probability_);
  }

  double probability() const { return probability_; }

  template <class Self, class Visit>
  static void visit_parameters(Self&, Visit&&, const std::string&) {}

 private:
  double probability_;
};

}  // namespace weft
