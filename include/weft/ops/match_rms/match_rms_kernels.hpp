// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `match_rms`; the CPU's answer is in match_rms_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"

namespace weft {

/// Kernels of `match_rms` on a device. A specialisation provides dot and combine.
template <class DeviceType>
struct MatchRMSKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/match_rms/match_rms_cpu.hpp"
#endif
