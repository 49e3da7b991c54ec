// SPDX-License-Identifier: Apache-2.0
/// \file
/// The GPU by its own name, for programs compiled with nvcc.
#pragma once

#ifndef __CUDACC__
#error "weft/cuda.hpp needs nvcc; weft/thrust.hpp runs the same kernels on OpenMP threads"
#endif

#include "weft/thrust.hpp"

#if THRUST_DEVICE_SYSTEM != THRUST_DEVICE_SYSTEM_CUDA
#error "weft/cuda.hpp: THRUST_DEVICE_SYSTEM chooses another system than CUDA"
#endif

namespace weft {

/// An NVIDIA GPU. Its kernels are Thrust's.
using Cuda = Thrust;

}  // namespace weft
