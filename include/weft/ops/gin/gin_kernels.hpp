// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `gin_update`; the CPU's answer is in gin_cpu.hpp.
#pragma once

#include "weft/ops/gin/gin_size.hpp"

namespace weft {

/// Kernels of `gin_update` on a device. A specialisation provides forward, backward and add.
template <class DeviceType>
struct GINKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/gin/gin_cpu.hpp"
#endif
