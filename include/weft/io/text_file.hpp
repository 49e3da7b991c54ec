// SPDX-License-Identifier: Apache-2.0
/// \file
/// Whole files as strings.
#pragma once

#include <string>
#include <string_view>

#include "weft/io/atomic_file.hpp"
#include "weft/io/folder.hpp"
#include "weft/io/lfs_pointer.hpp"
#include "weft/io/mapped_file.hpp"

namespace weft {

/// The bytes of a file. Raises Error when it cannot be read, is longer than `largest` bytes, or is a pointer of Git LFS.
inline std::string read_text(const std::string& path, std::size_t largest = std::string::npos) {
  const MappedFile file(path);
  if (file.bytes().size() > largest) {
    fail(concat("cannot read ", path, ": at most ", largest, " bytes are expected, found ", file.bytes().size()));
  }
  detail::expect_no_lfs_pointer(file.bytes(), path);
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

/// Replaces the file's content as a whole or not at all; see AtomicFile.
inline void write_text(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

namespace detail {

/// Of a file that may be missing: empty then.
inline std::string read_text_if_any(const std::string& path) {
  return path_exists(path) ? read_text(path) : std::string();
}

/// An empty text is no file: an older one is removed.
inline void write_text_or_remove(const std::string& path, std::string_view text) {
  text.empty() ? remove_file(path) : write_text(path, text);
}

}  // namespace detail
}  // namespace weft
