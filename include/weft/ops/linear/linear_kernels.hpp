// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `linear`; the CPU's answer is in linear_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// The extents of a linear map applied to rows.
struct LinearSize {
  Index rows;
  Index in_features;
  Index out_features;
};

/// Kernels of `linear` on a device. A specialisation provides forward, backward_input, backward_weight, backward_bias
/// and add.
template <class DeviceType>
struct LinearKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/linear/linear_cpu.hpp"
#endif
