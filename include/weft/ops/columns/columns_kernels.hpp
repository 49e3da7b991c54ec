// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `columns`; the CPU's answer is in columns_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"

namespace weft {

/// Kernels of `columns` on a device. A specialisation provides copy and zero.
template <class DeviceType>
struct ColumnsKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/columns/columns_cpu.hpp"
#endif
