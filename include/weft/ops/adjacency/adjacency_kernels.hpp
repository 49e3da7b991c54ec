// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for processed adjacencies; the CPU's answer is in adjacency_cpu.hpp.
#pragma once

namespace weft {

/// Kernels of `aggregate_adjacency`, `adjacency_weights`, `process_adjacency` and the functions of step_functions.hpp on a
/// device. A specialisation provides aggregate, weights, process and step, a _backward of each, and step_threshold.
template <class DeviceType>
struct AdjacencyKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/adjacency/adjacency_cpu.hpp"
#endif
