// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `linear_columns`; the CPU's answer is in linear_columns_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// x is [rows, features], the weight [out_features, columns], of which those from `first_column` on are used.
struct LinearColumnsSize {
  Index rows;
  Index features;
  Index out_features;
  Index columns;
  Index first_column;
};

/// Kernels of `linear_columns` on a device. A specialisation provides forward, backward_input, backward_weight and
/// backward_bias.
template <class DeviceType>
struct LinearColumnsKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/linear_columns/linear_columns_cpu.hpp"
#endif
