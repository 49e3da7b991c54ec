// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `pna_attention`; the CPU's answer is in pna_cpu.hpp.
#pragma once

#include "weft/ops/pna/pna_input.hpp"

namespace weft {

/// Kernels of `pna_attention` on a device. A specialisation provides prepare, forward, backward and finish.
template <class DeviceType>
struct PNAKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/pna/pna_cpu.hpp"
#endif
