// SPDX-License-Identifier: Apache-2.0
/// \file
/// Scratch memory for kernels: one growing block per thread and purpose, reused by every later call.
#pragma once

#include "weft/tensor/memory.hpp"

namespace weft {

/// At least `count` elements of uninitialised scratch that belong to this thread and to `Tag`. Valid until the next call
/// with the same tag on the same thread; grows when a call asks for more than any before, never shrinks.
template <class Tag, class T>
T* thread_scratch(Index count) {
  thread_local AlignedBytes block;
  thread_local std::size_t capacity = 0;
  const std::size_t bytes = align_up(static_cast<std::size_t>(count) * sizeof(T));
  if (bytes > capacity) {
    block = allocate_aligned(bytes);
    capacity = bytes;
  }
  return reinterpret_cast<T*>(block.get());
}

}  // namespace weft
