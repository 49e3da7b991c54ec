// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `sum` and `mean`; the CPU's answer is in sum_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of `sum` and `mean` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct SumKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/sum/sum_cpu.hpp"
#endif
