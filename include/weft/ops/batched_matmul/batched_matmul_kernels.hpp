// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a device has to provide for `batched_matmul`; the CPU's answer is in batched_matmul_cpu.hpp.
#pragma once

#include "weft/tensor/types.hpp"

namespace weft {

/// `batch` products of [rows, inner] and [inner, columns].
struct BatchedMatmulSize {
  Index batch;
  Index rows;
  Index inner;
  Index columns;
};

/// Kernels of `batched_matmul` on a device. A specialisation provides forward, backward_first and backward_second.
template <class DeviceType>
struct BatchedMatmulKernels;

}  // namespace weft

#ifndef __CUDACC__
#include "weft/ops/batched_matmul/batched_matmul_cpu.hpp"
#endif
