// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `pna_aggregate`; the CPU's answer is in pna_aggregate_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/message_passing/graph.hpp"
#include "weft/ops/pna_aggregate/pna_rules.hpp"

namespace weft {

/// Kernels of `pna_aggregate` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct PNAAggregateKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/pna_aggregate/pna_aggregate_cpu.hpp"
#endif
