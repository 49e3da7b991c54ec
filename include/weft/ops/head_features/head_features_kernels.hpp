// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `head_features`; the CPU's answer is in head_features_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"

namespace weft {

/// Four parts [rows, heads * dim] become [rows, heads, 4, dim].
struct HeadFeaturesSize {
  Index rows;
  Index heads;
  Index dim;

  Index width() const { return heads * dim; }
};

/// Kernels of `head_features` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct HeadFeaturesKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/head_features/head_features_cpu.hpp"
#endif
