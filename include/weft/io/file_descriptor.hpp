// SPDX-License-Identifier: Apache-2.0
/// \file
/// An open file of the operating system, and the words for what went wrong with it.
#pragma once

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <unistd.h>

#include "weft/tensor/error.hpp"

namespace weft::detail {

/// Raises Error: "cannot <action> <path>: <reason of the operating system>".
[[noreturn]] inline void fail_on_file(std::string_view action, std::string_view path, int error = errno) {
  fail(concat("cannot ", action, " ", path, ": ", std::strerror(error)));
}

/// Closes the file it holds.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~FileDescriptor() { close(); }

  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

  /// True unless the operating system reports an error of an earlier write.
  bool close() { return descriptor_ < 0 || ::close(std::exchange(descriptor_, -1)) == 0; }

 private:
  int descriptor_ = -1;
};

}  // namespace weft::detail
