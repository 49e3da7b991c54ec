// SPDX-License-Identifier: Apache-2.0
/// \file
/// Aligned memory: what tensors, the workspace and kernels' scratch are made of.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "weft/tensor/types.hpp"

namespace weft {

/// Every owning tensor and every workspace block starts at a multiple of this, one cache line and one AVX-512 vector.
inline constexpr std::size_t kAlignment = 64;

namespace detail {

struct AlignedDelete {
  void operator()(std::byte* pointer) const { ::operator delete (pointer, std::align_val_t{kAlignment}); }
};

}  // namespace detail

/// Owns `bytes` of uninitialised memory aligned to `kAlignment`.
using AlignedBytes = std::unique_ptr<std::byte[], detail::AlignedDelete>;

/// Uninitialised memory that starts at a multiple of `kAlignment`; std::bad_alloc where there is none.
inline AlignedBytes allocate_aligned(std::size_t bytes) {
  return AlignedBytes(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment})));
}

/// Rounds a number of bytes up to the next multiple of `kAlignment`.
constexpr std::size_t align_up(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace weft
