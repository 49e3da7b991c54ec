// SPDX-License-Identifier: Apache-2.0
/// \file
/// Standard streams that a shell has closed.
#pragma once

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "weft/io/file_descriptor.hpp"

namespace apps {

/// Takes the numbers of standard streams that are closed (`2>&-`), as the first thing that a program does: else the next file that it
/// opens gets such a number, and messages go into it. Reading or writing such a stream still fails.
inline void hold_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    // The wrong way round, and the least number that is free.
    if (::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) != stream) {
      weft::detail::fail_on_file("open", "/dev/null");
    }
  }
}

}  // namespace apps
