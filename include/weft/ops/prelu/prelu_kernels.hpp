// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `prelu`; the CPU's answer is in prelu_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"

namespace weft {

/// Kernels of `prelu` on a device. A specialisation provides forward, backward_input and backward_slope.
template <class DeviceType>
struct PReLUKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/prelu/prelu_cpu.hpp"
#endif
