// SPDX-License-Identifier: Apache-2.0
/// \file
/// One run at a time in a folder.
#pragma once

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/file.h>

#include "weft/io/file_descriptor.hpp"

namespace apps {

/// Keeps other runs out of a folder as long as it lives, or its process; nothing is written for that.
class RunLock {
 public:
  /// Raises Error where the folder cannot be opened, or another run writes to it. A file system without locks keeps nobody out.
  explicit RunLock(const std::string& folder) : folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (!folder_) weft::detail::fail_on_file("open", folder);
    if (::flock(folder_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      weft::fail("another run is writing to " + folder);
    }
  }

 private:
  weft::detail::FileDescriptor folder_;
};

}  // namespace apps
