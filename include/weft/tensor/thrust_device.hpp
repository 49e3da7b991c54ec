// SPDX-License-Identifier: Apache-2.0
/// \file
/// A device whose kernels are Thrust algorithms: a GPU under nvcc; under a plain C++ compiler the processor's threads by
/// Thrust's OpenMP system, so that the same kernels are tested where there is no GPU. Define `THRUST_DEVICE_SYSTEM` to
/// choose another system.
#pragma once

#if !defined(THRUST_DEVICE_SYSTEM) && !defined(__CUDACC__)
#ifdef _OPENMP
#define THRUST_DEVICE_SYSTEM THRUST_DEVICE_SYSTEM_OMP
#else
#define THRUST_DEVICE_SYSTEM THRUST_DEVICE_SYSTEM_CPP
#endif
#endif

#include <thrust/execution_policy.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>

#include "weft/tensor/host_device.hpp"
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
#include "weft/tensor/cuda_memory.hpp"
#else
#include "weft/tensor/device.hpp"
#endif

namespace weft {

// The system is part of the device's name for the linker: one program may have units for the GPU and for OpenMP.
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
inline namespace thrust_cuda {
/// Where the memory of `Thrust` comes from.
using ThrustMemory = CudaMemory;
#else
inline namespace thrust_host {
/// Where the memory of `Thrust` comes from.
using ThrustMemory = Cpu;
#endif

/// Memory of Thrust's device system, and loops that run there. Elements are reached through copies only, also where the
/// host could read them: what works here works on a GPU.
struct Thrust : ThrustMemory {
  static constexpr bool host_accessible = false;

  /// Which system runs Thrust's algorithms, and that they need not wait for each other.
  static auto policy() {
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
    return thrust::cuda::par_nosync;
#else
    return thrust::device;
#endif
  }

  /// function(i) for every i in [0, count), in any order. `function` is a trivially copyable object whose operator() is
  /// `WEFT_HOST_DEVICE` and const. On a GPU the call returns at once; later calls and copies wait for it.
  template <class Function>
  static void for_each_index(Index count, const Function& function) {
    if (count > 0) thrust::for_each_n(policy(), thrust::counting_iterator<Index>(0), count, function);
  }

  /// At least `count` elements of uninitialised device memory that belong to this thread and to `Tag`, as
  /// `thread_scratch` gives them on the host.
  template <class Tag, class T>
  static T* scratch(Index count) {
    thread_local Buffer block;
    thread_local std::size_t capacity = 0;
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    if (bytes > capacity) {
      block = allocate(bytes);
      capacity = bytes;
    }
    return reinterpret_cast<T*>(block.get());
  }
};

}  // namespace
}  // namespace weft
