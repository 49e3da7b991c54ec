// SPDX-License-Identifier: Apache-2.0
/// \file
/// Memory of an NVIDIA GPU, by the CUDA runtime. For programs compiled with nvcc.
#pragma once

#include <cstddef>
#include <memory>

#include <cuda_runtime_api.h>

#include "weft/tensor/error.hpp"

namespace weft {

/// Refuses with CUDA's own words.
inline void expect_cuda_success(cudaError_t status, std::string_view what) {
  if (status != cudaSuccess) fail(concat(what, ": ", cudaGetErrorString(status)));
}

/// The memory half of a device (see `Cpu`): owning buffers, copies and zeros in the memory of the current GPU. Copies from
/// and to the host are finished on return; the rest happens in the order of the default stream.
struct CudaMemory {
  /// Gives memory back to the GPU.
  struct Free {
    void operator()(std::byte* pointer) const { cudaFree(pointer); }  // an error here has no one left to hear it
  };
  using Buffer = std::unique_ptr<std::byte[], Free>;

  static Buffer allocate(std::size_t bytes) {
    void* pointer = nullptr;
    if (bytes > 0) expect_cuda_success(cudaMalloc(&pointer, bytes), concat("cudaMalloc of ", bytes, " bytes"));
    return Buffer(static_cast<std::byte*>(pointer));
  }
  static Buffer allocate_zeroed(std::size_t bytes) {
    Buffer buffer = allocate(bytes);
    zero(buffer.get(), bytes);
    return buffer;
  }
  static void copy_to_device(void* target, const void* source, std::size_t bytes) {
    copy(target, source, bytes, cudaMemcpyHostToDevice);
  }
  static void copy_to_host(void* target, const void* source, std::size_t bytes) {
    copy(target, source, bytes, cudaMemcpyDeviceToHost);
  }
  static void copy(void* target, const void* source, std::size_t bytes) {
    copy(target, source, bytes, cudaMemcpyDeviceToDevice);
  }
  /// Like `copy`, for ranges that may overlap.
  static void move(void* target, const void* source, std::size_t bytes) {
    if (bytes == 0) return;
    const Buffer between = allocate(bytes);
    copy(between.get(), source, bytes);
    copy(target, between.get(), bytes);
  }
  static void zero(void* target, std::size_t bytes) {
    if (bytes > 0) expect_cuda_success(cudaMemset(target, 0, bytes), "cudaMemset");
  }

 private:
  static void copy(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind) {
    if (bytes > 0) expect_cuda_success(cudaMemcpy(target, source, bytes, kind), "cudaMemcpy");
  }
};

}  // namespace weft
