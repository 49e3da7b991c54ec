// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `grouped_linear`; the CPU's answer is in grouped_linear_cpu.hpp.
#pragma once

#include "weft/autograd/gradient.hpp"

namespace weft {

/// Rows of `groups` slices, each with a linear map of its own: x [rows, groups * in], y [rows, groups * out].
struct GroupedLinearSize {
  Index rows;
  Index groups;
  Index in_features;
  Index out_features;

  Index input_width() const { return groups * in_features; }
  Index output_width() const { return groups * out_features; }
};

/// The parameters of one group; null where there is no bias.
template <class T>
struct GroupedLinearPart {
  Operand<T> weight;  // [out, in]
  Operand<T> bias;    // [out]
};

/// Where the gradients of one group go.
template <class T>
struct GroupedLinearTargets {
  GradientTarget<T> weight;
  GradientTarget<T> bias;
};

/// Kernels of `grouped_linear` on a device. A specialisation provides forward, backward_input, backward_parameters and
/// backward_bias_weights.
template <class DeviceType>
struct GroupedLinearKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/grouped_linear/grouped_linear_cpu.hpp"
#endif
