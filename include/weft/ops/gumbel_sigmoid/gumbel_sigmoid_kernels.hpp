// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `gumbel_sigmoid`; the CPU's answer is in gumbel_sigmoid_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of `gumbel_sigmoid` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct GumbelSigmoidKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/gumbel_sigmoid/gumbel_sigmoid_cpu.hpp"
#endif
