// SPDX-License-Identifier: Apache-2.0
/// \file
/// The extents, options and parameters of `gin_update` as kernels see them.
#pragma once

#include <algorithm>

#include "weft/autograd/gradient.hpp"
#include "weft/ops/dropout/dropout_kernels.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// What a node takes of its own features: epsilon x as the reference has it (quirk G1), or (1 + epsilon) x as the paper.
enum class GINSelfTerm { epsilon, one_plus_epsilon };

/// Rows are handled in panels of this many, on every machine.
inline constexpr Index kGINPanelRows = 32;

/// x is [rows, key_value_heads * dim]; aggregated and the result are [rows, heads * dim].
struct GINSize {
  Index rows;
  Index heads;
  Index key_value_heads;
  Index dim;
  Index hidden;

  Index group() const { return heads / key_value_heads; }
  Index input_width() const { return key_value_heads * dim; }
  Index width() const { return heads * dim; }

  /// Heads whose panels are worked on together: rows are read and written in long pieces, as memory likes it, and what
  /// belongs to a head waits in the second cache level.
  Index heads_at_once() const { return std::clamp<Index>(1024 / dim, 1, heads); }

  Index panels() const { return (rows + kGINPanelRows - 1) / kGINPanelRows; }

  /// What is kept for the derivative: [panels, heads, hidden, kGINPanelRows] values.
  Index saved() const { return panels() * heads * hidden * kGINPanelRows; }
};

/// The options of an update, with the random numbers of its dropout.
struct GINRules {
  double rms_norm_eps;
  GINSelfTerm self_term;
  DropoutMask dropout;  ///< of the hidden values; threshold 0 where nothing is dropped

  double self_weight(double epsilon) const { return self_term == GINSelfTerm::epsilon ? epsilon : 1 + epsilon; }
  bool drops() const { return dropout.threshold > 0; }

  /// Where in its stream dropout draws for a hidden value: 64 positions serve two columns of a panel.
  static Index dropout_position(const GINSize& size, Index head, Index row, Index column) {
    const Index columns = (size.hidden + 1) / 2 * 2;
    return ((row / kGINPanelRows * size.heads + head) * columns + column) * kGINPanelRows + row % kGINPanelRows;
  }
};

/// The parameters of one head.
template <class T>
struct GINHead {
  Operand<T> epsilon;      // []
  Operand<T> norm_weight;  // [hidden]
  Operand<T> mlp0_weight;  // [hidden, dim]
  Operand<T> mlp0_bias;    // [hidden]
  Operand<T> mlp4_weight;  // [dim, hidden]
  Operand<T> mlp4_bias;    // [dim]
};

/// Where the gradients of the parameters of one head go.
template <class T>
struct GINHeadTargets {
  GradientTarget<T> epsilon;
  GradientTarget<T> norm_weight;
  GradientTarget<T> mlp0_weight;
  GradientTarget<T> mlp0_bias;
  GradientTarget<T> mlp4_weight;
  GradientTarget<T> mlp4_bias;
};

}  // namespace weft
