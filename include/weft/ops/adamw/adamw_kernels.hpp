// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for AdamW; the CPU's answer is in adamw_cpu.hpp.
#pragma once

#include <cmath>

#include "weft/tensor/types.hpp"

namespace weft {

/// The numbers of one update of one parameter.
struct AdamWStep {
  double learning_rate;
  double beta1;
  double beta2;
  double epsilon;
  double weight_decay;
  Index step;  ///< t, from 1

  /// 1 - η λ
  double keep() const { return 1 - learning_rate * weight_decay; }
  /// η / (1 - β₁ᵗ)
  double rate() const { return learning_rate / (1 - std::pow(beta1, static_cast<double>(step))); }
  /// 1 / sqrt(1 - β₂ᵗ)
  double second_scale() const { return 1 / std::sqrt(1 - std::pow(beta2, static_cast<double>(step))); }
};

/// Kernels of AdamW on a device. A specialisation provides update(step, count, gradient, value, first_moment,
/// second_moment).
template <class DeviceType>
struct AdamWKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/adamw/adamw_cpu.hpp"
#endif
