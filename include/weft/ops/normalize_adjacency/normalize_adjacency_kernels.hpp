// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `normalize_adjacency`; the CPU's answer is in normalize_adjacency_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of `normalize_adjacency` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct NormalizeAdjacencyKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/normalize_adjacency/normalize_adjacency_cpu.hpp"
#endif
