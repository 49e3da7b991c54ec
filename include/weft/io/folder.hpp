// SPDX-License-Identifier: Apache-2.0
/// \file
/// Folders and what is in them, by POSIX: std::filesystem takes longer to compile than all else that writes files.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft/tensor/error.hpp"

namespace weft::detail {

/// Whether there is something by this name, even a symbolic link to nothing: whoever opens that is told so.
inline bool path_exists(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0;
}

inline bool is_folder(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

inline bool is_file(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

/// Whether a path's last part is a symbolic link, wherever that leads.
inline bool is_link(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 && S_ISLNK(found.st_mode);
}

inline bool is_dangling_link(const std::string& path) { return is_link(path) && ::access(path.c_str(), F_OK) != 0; }

/// Whether two paths lead to the same thing.
inline bool is_same(const std::string& path, const std::string& other) {
  struct stat found {};
  struct stat expected {};
  return ::stat(path.c_str(), &found) == 0 && ::stat(other.c_str(), &expected) == 0 &&
         found.st_dev == expected.st_dev && found.st_ino == expected.st_ino;
}

/// The folder that a path lies in, which has no slash at its end.
inline std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}

/// Whether a path leads to a folder or into it, whatever links are on the way. Its last parts may be missing.
inline bool is_within(std::string path, const std::string& folder) {
  while (!is_folder(path) && path != parent_of(path)) path = parent_of(path);
  for (; is_folder(path); path += "/..") {
    if (is_same(path, folder)) return true;
    if (is_same(path, path + "/..")) return false;  // the root
  }
  return false;
}

/// Removes a file. Raises Error when it is there afterwards.
inline void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail(concat("cannot remove ", path, ": ", std::strerror(errno)));
}

/// The names in a folder; none where it cannot be read.
inline std::vector<std::string> names_in_folder(const std::string& path) {
  std::vector<std::string> names;
  DIR* const folder = ::opendir(path.c_str());
  if (folder == nullptr) return names;
  while (const dirent* entry = ::readdir(folder)) names.emplace_back(entry->d_name);
  ::closedir(folder);
  return names;
}

/// Makes a folder and those it lies in, as far as they are missing.
inline void make_folders(const std::string& path) {
  const auto refuse = [&](int error) { fail(concat("cannot make the folder ", path, ": ", std::strerror(error))); };
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
