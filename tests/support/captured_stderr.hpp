// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is written on standard error meanwhile.
#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "support/temporary_folder.hpp"

namespace weft::testing {

/// From here on standard error is a file, until `text` or the end.
class CapturedStderr {
 public:
  CapturedStderr() {
    std::fflush(stderr);
    const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (before_ < 0 || file < 0 || ::dup2(file, STDERR_FILENO) < 0) throw std::runtime_error("dup2 failed");
    ::close(file);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;
  ~CapturedStderr() { release(); }

  std::string text() {
    release();
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  void release() {
    if (before_ < 0) return;
    std::fflush(stderr);
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    before_ = -1;
  }

  TemporaryFolder folder_;
  std::string path_ = folder_ / "stderr";
  int before_ = ::dup(STDERR_FILENO);
};

}  // namespace weft::testing
