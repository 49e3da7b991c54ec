// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for processed adjacencies; the CPU's answer is in adjacency_cpu.hpp.
#pragma once

namespace weft {

/// Kernels of `aggregate_adjacency`, `adjacency_weights` and `process_adjacency` on a device. A specialisation provides
/// aggregate, aggregate_backward, weights, weights_backward, process and process_backward.
template <class DeviceType>
struct AdjacencyKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/adjacency/adjacency_cpu.hpp"
#endif
