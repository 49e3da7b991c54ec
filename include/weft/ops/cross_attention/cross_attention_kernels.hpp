// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `cross_attention`; the CPU's answer is in cross_attention_cpu.hpp.
#pragma once

#include "weft/ops/cross_attention/cross_attention_input.hpp"

namespace weft {

/// Kernels of cross attention on a device. A specialisation provides forward, backward and weights.
template <class DeviceType>
struct CrossAttentionKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/cross_attention/cross_attention_cpu.hpp"
#endif
