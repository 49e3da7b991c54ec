// SPDX-License-Identifier: Apache-2.0
/// \file
/// A file as memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft/io/file_descriptor.hpp"

namespace weft {

/// A file mapped into memory: pages are read when they are touched, and the operating system may drop them again. Who writes
/// has a page of its own from then on; the file is never changed. Replacing the file by renaming another over it (as
/// AtomicFile does) leaves the mapping intact; a program that shortens it in place makes every reader fault.
class MappedFile {
 public:
  MappedFile() = default;

  /// Raises Error when the file does not exist, may not be read, or is no regular file.
  explicit MappedFile(const std::string& path) {
    detail::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe must not wait
    if (!file) detail::fail_on_file("open", path);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) detail::fail_on_file("read", path);
    if (S_ISDIR(status.st_mode)) fail(concat("cannot read ", path, ": it is a folder"));
    if (!S_ISREG(status.st_mode)) fail(concat("cannot read ", path, ": it is not a regular file"));
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ == 0) return;  // an empty range cannot be mapped
    void* data = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.get(), 0);
    if (data == MAP_FAILED) detail::fail_on_file("map", path);
    data_ = static_cast<std::byte*>(data);
  }

  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedFile() {
    if (data_ != nullptr) ::munmap(data_, size_);
  }

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::span<std::byte> bytes() { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

namespace detail {

/// Lets the operating system take back the whole pages among bytes of a mapped file that nobody has written to. They are
/// read anew if they are touched.
inline void release_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t before = reinterpret_cast<std::uintptr_t>(bytes.data()) % page;  // on the first page; read already
  const std::size_t whole = (before + bytes.size()) / page * page;
  if (whole > 0) ::madvise(const_cast<std::byte*>(bytes.data()) - before, whole, MADV_DONTNEED);
}

}  // namespace detail
}  // namespace weft
