// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `adj_rms_norm`; the CPU's answer is in adj_rms_norm_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of `adj_rms_norm` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct AdjRMSNormKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/adj_rms_norm/adj_rms_norm_cpu.hpp"
#endif
