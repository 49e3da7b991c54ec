// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rotary tables for tests of attention layers.
#pragma once

#include <cmath>

#include "weft/attention/attention_inputs.hpp"

namespace weft::testing {

/// Tables of positions [first, first + tokens), and causal inputs that point to them.
template <class T>
struct AttentionPositions {
  Tensor<T, Shape<Dyn, Dyn, Dyn>> cos, sin;

  AttentionPositions(Index tokens, Index head_dim, Index first = 0)
      : cos(Shape<Dyn, Dyn, Dyn>(1, tokens, head_dim)), sin(cos.shape()) {
    for (Index i = 0; i < cos.size(); ++i) {
      const double angle =
          0.3 * static_cast<double>(first + i / head_dim) / static_cast<double>(1 + i % (head_dim / 2));
      cos.data()[i] = static_cast<T>(std::cos(angle));
      sin.data()[i] = static_cast<T>(std::sin(angle));
    }
  }

  AttentionInputs<T> inputs() const {
    AttentionInputs<T> all;
    all.cos = cos;
    all.sin = sin;
    all.causal = true;
    return all;
  }
};

}  // namespace weft::testing
