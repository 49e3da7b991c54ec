// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `edge_softmax`; the CPU's answer is in edge_softmax_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/message_passing/graph.hpp"

namespace weft {

/// Kernels of `edge_softmax` on a device. A specialisation provides forward, backward_scores and backward_nodes.
template <class DeviceType>
struct EdgeSoftmaxKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/edge_softmax/edge_softmax_cpu.hpp"
#endif
