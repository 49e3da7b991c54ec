// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `activate`; the CPU's answer is in activation_cpu.hpp.
#pragma once

#include "weft/ops/activation/activation_kind.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of `activate` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct ActivationKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/activation/activation_cpu.hpp"
#endif
