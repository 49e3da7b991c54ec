// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `hop_sum`; the CPU's answer is in hop_sum_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/head_aggregate/head_aggregate_kernels.hpp"

namespace weft {

/// The most steps that `hop_sum` takes.
inline constexpr Index kMostHops = 3;

/// The weights of one head: 1 + epsilon for the node itself, alphas[k - 1] for k steps.
template <class T>
struct HopWeights {
  Operand<T> epsilon;
  Operand<T> alphas[kMostHops];
};

/// Kernels of `hop_sum` on a device. A specialisation provides forward, backward and step.
template <class DeviceType>
struct HopSumKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/hop_sum/hop_sum_cpu.hpp"
#endif
