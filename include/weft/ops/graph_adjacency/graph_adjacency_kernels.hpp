// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `adjacency`; the CPU's answer is in graph_adjacency_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/graph_adjacency/graph_adjacency_options.hpp"

namespace weft {

/// Kernels of `adjacency` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct GraphAdjacencyKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/graph_adjacency/graph_adjacency_cpu.hpp"
#endif
