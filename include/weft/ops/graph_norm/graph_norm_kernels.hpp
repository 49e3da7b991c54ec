// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `graph_norm`; the CPU's answer is in graph_norm_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/message_passing/graph.hpp"

namespace weft {

/// Rows of features, in segments: rows begin[g] .. begin[g + 1] - 1 are one graph.
template <class T>
struct GraphNormSize {
  const GraphIndex* begin;
  Index graphs;
  Index features;
  T eps;
};

/// Kernels of `graph_norm` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct GraphNormKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/graph_norm/graph_norm_cpu.hpp"
#endif
