// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `rms_norm`; the CPU's answer is in rms_norm_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// The extents and the constant of a normalisation over rows.
template <class T>
struct RMSNormSize {
  Index rows;
  Index features;
  T eps;
};

/// Kernels of `rms_norm` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct RMSNormKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/rms_norm/rms_norm_cpu.hpp"
#endif
