// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `layer_norm`; the CPU's answer is in layer_norm_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// The extents and the constant of a normalisation over rows.
template <class T>
struct LayerNormSize {
  Index rows;
  Index features;
  T eps;
};

/// Kernels of `layer_norm` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct LayerNormKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/layer_norm/layer_norm_cpu.hpp"
#endif
