// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `dropout`; the CPU's answer is in dropout_cpu.hpp.
#pragma once

#include "weft/ops/dropout/dropout_mask.hpp"

namespace weft {

/// Kernels of `dropout` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct DropoutKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/dropout/dropout_cpu.hpp"
#endif
