// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `cross_attention`; the CPU's answer is in cross_attention_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"
#include "weft/ops/cross_attention/cross_attention_input.hpp"

namespace weft {

namespace kernels {

/// What backward owes. When several of them are one tensor, the earlier in this list may overwrite and the later add.
template <class T>
struct CrossAttentionGradients {
  GradientTarget<T> dq;
  GradientTarget<T> dk;
  GradientTarget<T> dv;
  GradientTarget<T> d_supplied;  ///< of the array behind the supplied weights
  GradientTarget<T> d_mix;       ///< one element
};

}  // namespace kernels

/// Kernels of cross attention on a device. A specialisation provides forward, backward and weights.
template <class DeviceType>
struct CrossAttentionKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/cross_attention/cross_attention_cpu.hpp"
#endif
