// SPDX-License-Identifier: Apache-2.0
/// \file
/// Aligned memory: what tensors, the workspace and kernels' scratch are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "weft/tensor/error.hpp"
#include "weft/tensor/types.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace weft {

/// Every owning tensor and every workspace block starts at a multiple of this, one cache line and one AVX-512 vector.
inline constexpr std::size_t kAlignment = 64;

namespace detail {

struct AlignedDelete {
  void operator()(std::byte* pointer) const { ::operator delete (pointer, std::align_val_t{kAlignment}); }
};

struct HostDelete {
  std::shared_ptr<const void> owner{};  ///< what keeps borrowed memory alive; null: the memory is aligned and our own
  void operator()(std::byte* pointer) const {
    if (owner == nullptr) AlignedDelete()(pointer);
  }
};

/// Asks Linux for pages of 2 MB inside of a large block: with those of 4 KB kernels spend some of their time on finding
/// pages. It is advice; where it is not taken nothing changes.
inline void prefer_large_pages([[maybe_unused]] std::byte* data, [[maybe_unused]] std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t page = std::size_t{2} << 20;
  if (bytes < 4 * page) return;
  const std::size_t skipped = (page - reinterpret_cast<std::uintptr_t>(data) % page) % page;
  madvise(data + skipped, (bytes - skipped) / page * page, MADV_HUGEPAGE);
#endif
}

}  // namespace detail

/// Owns `bytes` of uninitialised memory aligned to `kAlignment`.
using AlignedBytes = std::unique_ptr<std::byte[], detail::AlignedDelete>;

/// Uninitialised memory that starts at a multiple of `kAlignment`; Error where there is not so much.
inline AlignedBytes allocate_aligned(std::size_t bytes) {
  auto* const data = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment}, std::nothrow));
  if (data == nullptr) fail(concat("out of memory: ", bytes, " bytes were asked for"));
  detail::prefer_large_pages(data, bytes);
  return AlignedBytes(data);
}

/// Memory of the host, whether its own or a part of something that it keeps alive, a mapped file for instance.
using HostBuffer = std::unique_ptr<std::byte[], detail::HostDelete>;

/// Memory at `data` that lives as long as `owner` does, and `owner` as long as this buffer.
inline HostBuffer borrow_memory(std::byte* data, std::shared_ptr<const void> owner) {
  return {data, detail::HostDelete{std::move(owner)}};
}

/// Zeros that start at a multiple of `kAlignment`. A block of 128 KiB, from where on glibc's malloc maps as well, is untouched:
/// Linux makes its pages when they are used. Parameters that a file will replace then cost nothing.
inline HostBuffer allocate_zeroed(std::size_t bytes) {
#ifdef __linux__
  constexpr std::size_t large = std::size_t{128} << 10;
  if (bytes >= large) {
    void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) fail(concat("out of memory: ", bytes, " bytes were asked for"));
    detail::prefer_large_pages(static_cast<std::byte*>(data), bytes);
    return borrow_memory(static_cast<std::byte*>(data),
                         std::shared_ptr<const void>(data, [bytes](void* pages) { munmap(pages, bytes); }));
  }
#endif
  HostBuffer buffer(allocate_aligned(bytes).release());
  if (bytes > 0) std::memset(buffer.get(), 0, bytes);
  return buffer;
}

/// Rounds a number of bytes up to the next multiple of `kAlignment`.
constexpr std::size_t align_up(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace weft
