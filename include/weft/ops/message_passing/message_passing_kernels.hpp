// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `aggregate_edges`; the CPU's answer is in message_passing_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/message_passing/graph.hpp"

namespace weft {

/// Kernels of `aggregate_edges` on a device. A specialisation provides forward, backward_input, backward_weights and
/// backward_self.
template <class DeviceType>
struct MessagePassingKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/message_passing/message_passing_cpu.hpp"
#endif
