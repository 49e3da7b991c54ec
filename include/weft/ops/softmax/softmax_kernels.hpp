// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `softmax` and `log_sum_exp`; the CPU's answer is in softmax_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// Kernels of `softmax` and `log_sum_exp` on a device. A specialisation provides forward, backward, log_sum_exp and
/// log_sum_exp_backward.
template <class DeviceType>
struct SoftmaxKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/softmax/softmax_cpu.hpp"
#endif
