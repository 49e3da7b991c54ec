// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where a tensor lives. The device is part of its type; operations choose their kernels by it.
#pragma once

#include <cstring>

#include "weft/tensor/memory.hpp"

namespace weft {

/// Host memory; kernels of `weft::kernels` that take host pointers. Other devices (weft/thrust.hpp, weft/cuda.hpp) offer
/// the same members: a `Buffer` that owns memory, `allocate`, `allocate_zeroed`, the copies, and `zero`.
struct Cpu {
  using Buffer = HostBuffer;
  static constexpr bool host_accessible = true;

  static Buffer allocate(std::size_t bytes) { return Buffer(allocate_aligned(bytes).release()); }
  static Buffer allocate_zeroed(std::size_t bytes) { return weft::allocate_zeroed(bytes); }
  static void copy_to_device(void* target, const void* source, std::size_t bytes) { copy(target, source, bytes); }
  static void copy_to_host(void* target, const void* source, std::size_t bytes) { copy(target, source, bytes); }
  static void copy(void* target, const void* source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(target, source, bytes);
  }
  /// Like `copy`, for ranges that may overlap.
  static void move(void* target, const void* source, std::size_t bytes) {
    if (bytes > 0) std::memmove(target, source, bytes);
  }
  static void zero(void* target, std::size_t bytes) {
    if (bytes > 0) std::memset(target, 0, bytes);
  }
};

}  // namespace weft
