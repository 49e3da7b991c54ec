// SPDX-License-Identifier: Apache-2.0
/// \file
/// Folders and what is in them, by POSIX: <filesystem> takes longer to compile than all else that writes files.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include "weft/tensor/error.hpp"

namespace weft::detail {

inline bool path_exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

inline bool is_folder(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

/// Removes a file if it is there and may be removed.
inline void remove_file(const std::string& path) { ::unlink(path.c_str()); }

/// Makes a folder and those it lies in, as far as they are missing.
inline void make_folders(const std::string& path) {
  const auto refuse = [&](int error) {
    fail(concat("save_pretrained: cannot make the folder ", path, ": ", std::strerror(error)));
  };
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string folder = path.substr(0, end);
    struct stat found {};
    if (::stat(folder.c_str(), &found) != 0) {
      if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) refuse(errno);  // EEXIST: made meanwhile
    } else if (!S_ISDIR(found.st_mode)) {
      refuse(ENOTDIR);
    }
    if (end == std::string::npos) return;
  }
}

}  // namespace weft::detail
