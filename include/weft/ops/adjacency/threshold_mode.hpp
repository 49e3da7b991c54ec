// SPDX-License-Identifier: Apache-2.0
/// \file
/// The ways in which an adjacency is processed before a graph network uses it.
#pragma once

#include "weft/tensor/error.hpp"

namespace weft {

/// What happens to the entries a of an adjacency; t is the threshold. All but `none` also cut what lies above the diagonal.
enum class ThresholdMode {
  none,                        ///< a, not cut
  silu,                        ///< silu(a - t)
  relu,                        ///< relu(a - t)
  softplus,                    ///< softplus(a - t)
  sharp_softplus,              ///< softplus(β (a - t)) / β
  sigmoid_elementwise,         ///< σ(β (a - t))
  flowthreshold,               ///< σ(5 a) σ(50 (a - t))
  binary,                      ///< 1 where a > t, else 0
  top_k,                       ///< 1 for the largest entries of a row
  scaled_topk_causal_4d,       ///< 1 for the largest entries before the diagonal, their number in proportion to the row
  silu_plus_binary,            ///< silu(a - t) + scale · 1[a > t]
  silu_below_binary_above,     ///< 1 where a > t, else silu(a - t)
  relu_below_binary_above,     ///< 1 where a > t, else 0
  softplus_below_binary_above  ///< 1 where a > t, else softplus(a - t)
};

/// Which of several equal entries the top-k modes take.
enum class TopKTies {
  libstdcxx,  ///< those that PyTorch takes on a CPU, when built with libstdc++: its partial_sort or nth_element decides
  lowest_index  ///< the first ones, with every standard library and on every device
};

/// The numbers of a threshold mode; the defaults are the reference's.
struct ThresholdOptions {
  ThresholdMode mode = ThresholdMode::none;
  double binary_scale = 1;      ///< of the mode silu_plus_binary
  double softplus_beta = 10;    ///< β of sharp_softplus
  double sigmoid_beta = 10;     ///< β of sigmoid_elementwise
  double top_k_fraction = 0.1;  ///< at most 1: of all keys (top_k), of the keys before the row (scaled_topk_causal_4d)

  /// Sets entries of masked keys to 0. The reference does not: silu(0 - t), for instance, lets padding into the sums
  /// (quirk A1).
  bool respects_mask = false;

  /// scaled_topk_causal_4d leaves out entries below the threshold. In the reference they are only taken last (quirk A2).
  bool drop_below_threshold = false;

  TopKTies topk_ties = TopKTies::libstdcxx;
};

/// Whether a gradient passes to the entries and, through the same function, to a learned threshold.
constexpr bool has_derivative(ThresholdMode mode) {
  return mode != ThresholdMode::binary && mode != ThresholdMode::top_k && mode != ThresholdMode::scaled_topk_causal_4d;
}

/// Whether the mode has a threshold at all.
constexpr bool has_threshold(ThresholdMode mode) { return mode != ThresholdMode::none && mode != ThresholdMode::top_k; }

/// Whether a row of the result depends on nothing but that row, up to its diagonal: then later tokens change no earlier row,
/// and rows can be computed as tokens arrive. The mode top_k counts all keys (quirk A4).
constexpr bool is_incremental(ThresholdMode mode) { return mode != ThresholdMode::top_k; }

/// An error unless the numbers can be used. `owner` begins the message.
inline void validate_threshold(std::string_view owner, const ThresholdOptions& options) {
  const double fraction = options.top_k_fraction;
  if (options.mode == ThresholdMode::scaled_topk_causal_4d && !(fraction > 0 && fraction <= 1)) {
    fail(concat(owner, ": top_k_fraction must be in (0, 1] in the mode scaled_topk_causal_4d, found ", fraction));
  }
  if (options.mode == ThresholdMode::top_k && !(fraction <= 1)) {
    fail(concat(owner, ": top_k_fraction must be at most 1 in the mode top_k, found ", fraction));
  }
  if (options.mode == ThresholdMode::sharp_softplus && !(options.softplus_beta > 0)) {
    fail(concat(owner, ": softplus_beta must be positive in the mode sharp_softplus, found ", options.softplus_beta));
  }
  const int mode = static_cast<int>(options.mode);
  if (mode < 0 || mode > static_cast<int>(ThresholdMode::softplus_below_binary_above)) {
    fail(concat(owner, ": not a value of ThresholdMode: ", mode));
  }
}

}  // namespace weft
