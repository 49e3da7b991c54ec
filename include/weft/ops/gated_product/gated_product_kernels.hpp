// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `gated_product`; the CPU's answer is in gated_product_cpu.hpp.
#pragma once

#include "weft/ops/activation/activation_kind.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of `gated_product` on a device. A specialisation provides forward and backward.
template <class DeviceType>
struct GatedProductKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/gated_product/gated_product_cpu.hpp"
#endif
