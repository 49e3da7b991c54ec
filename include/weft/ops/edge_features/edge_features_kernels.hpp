// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `edge_features`; the CPU's answer is in edge_features_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/message_passing/graph.hpp"

namespace weft {

/// A slice [first, first + width) of the columns of x [nodes, columns], and the columns of the attributes of an edge.
struct EdgeFeaturesSize {
  Index columns;
  Index first;
  Index width;
  Index attributes;
};

/// Kernels of `edge_features` on a device. A specialisation provides forward, backward, gather and backward_gather.
template <class DeviceType>
struct EdgeFeaturesKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/edge_features/edge_features_cpu.hpp"
#endif
