// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `multiply`; the CPU's answer is in multiply_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of `multiply` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct MultiplyKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/multiply/multiply_cpu.hpp"
#endif
