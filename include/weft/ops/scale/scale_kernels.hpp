// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `scale`; the CPU's answer is in scale_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of `scale` on a device. A specialisation provides forward, backward_input and backward_factor.
template <class DeviceType>
struct ScaleKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/scale/scale_cpu.hpp"
#endif
