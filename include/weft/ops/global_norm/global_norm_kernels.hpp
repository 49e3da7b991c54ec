// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for norms over many tensors; the CPU's answer is in global_norm_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of the global norm on a device. A specialisation provides sum_of_squares(count, values) and scale(count,
/// factor, values).
template <class DeviceType>
struct GlobalNormKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/global_norm/global_norm_cpu.hpp"
#endif
