// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `add`; the CPU's answer is in add_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of `add` on a device. A specialisation provides forward and accumulate.
template <class DeviceType>
struct AddKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/add/add_cpu.hpp"
#endif
