// SPDX-License-Identifier: Apache-2.0
/// \file
/// Scratch memory for kernels: one growing block per thread and purpose, reused by every later call.
#pragma once

#include "weft/tensor/memory.hpp"

namespace weft {

namespace detail {

/// A block that grows.
class ScratchBlock {
 public:
  void* at_least(std::size_t bytes) {
    if (bytes > capacity_) grow(bytes);
    return memory_.get();
  }

 private:
  [[gnu::cold, gnu::noinline]] void grow(std::size_t bytes) {
    const std::size_t capacity = align_up(bytes);
    memory_ = allocate_aligned(capacity);
    capacity_ = capacity;
  }

  AlignedBytes memory_;
  std::size_t capacity_ = 0;
};

}  // namespace detail

/// At least `count` elements of uninitialised scratch that belong to this thread and to `Tag`. Valid until the next call
/// with the same tag on the same thread; grows when a call asks for more than any before, never shrinks.
template <class Tag, class T>
T* thread_scratch(Index count) {
  thread_local detail::ScratchBlock block;
  return static_cast<T*>(block.at_least(static_cast<std::size_t>(count) * sizeof(T)));
}

}  // namespace weft
