// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rotary tables for tests of attention layers.
#pragma once

#include <cmath>

#include "weft/attention/attention_inputs.hpp"

namespace weft::testing {

/// Tables of positions [0, tokens), and causal inputs that point to them.
template <class T>
class AttentionPositions {
  using Table = Tensor<T, Shape<Dyn, Dyn, Dyn>>;

 public:
  AttentionPositions(Index tokens, Index head_dim)
      : cos_(Shape<Dyn, Dyn, Dyn>(1, tokens, head_dim)), sin_(cos_.shape()) {
    for (Index i = 0; i < cos_.size(); ++i) {
      const double angle = 0.3 * static_cast<double>(i / head_dim) / static_cast<double>(1 + i % (head_dim / 2));
      cos_.data()[i] = static_cast<T>(std::cos(angle));
      sin_.data()[i] = static_cast<T>(std::sin(angle));
    }
  }

  AttentionInputs<T> inputs() const {
    AttentionInputs<T> all;
    all.cos = cos_;
    all.sin = sin_;
    all.causal = true;
    return all;
  }

 private:
  Table cos_;
  Table sin_;
};

}  // namespace weft::testing
