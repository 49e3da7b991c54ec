// SPDX-License-Identifier: Apache-2.0
/// \file
/// The mark of functions that kernels of a GPU call too. Nothing but nvcc sees it.
#pragma once

#ifdef __CUDACC__
/// Compiled for the host and for the device.
#define WEFT_HOST_DEVICE __host__ __device__
#else
/// Compiled for the host and for the device.
#define WEFT_HOST_DEVICE
#endif
