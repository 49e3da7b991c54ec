// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for attention; the CPU's answer is in attention_cpu.hpp.
#pragma once

#include "weft/ops/attention/attention_input.hpp"

namespace weft {

/// Kernels of attention on a device. A specialisation provides forward, backward, weights,
/// weights_backward, diagonal and diagonal_backward.
template <class DeviceType>
struct AttentionKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/attention/attention_cpu.hpp"
#endif
