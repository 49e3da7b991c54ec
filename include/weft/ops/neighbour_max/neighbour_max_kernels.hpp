// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `neighbour_max`; the CPU's answer is in neighbour_max_cpu.hpp.
#pragma once

#include "weft/ops/head_aggregate/head_aggregate_kernels.hpp"

namespace weft {

/// Kernels of `neighbour_max` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct NeighbourMaxKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/neighbour_max/neighbour_max_cpu.hpp"
#endif
