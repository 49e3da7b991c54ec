// SPDX-License-Identifier: Apache-2.0
/// \file
/// Files that are replaced whole or not at all.
#pragma once

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "weft/io/file_descriptor.hpp"

namespace weft {

/// Writes `<path>.partial` beside the file and renames it over `path` in `commit`. Until then, whatever fails (a full
/// disk, an exception, a killed process), the old content stays. A killed process leaves its `.partial` behind; the next
/// writer starts it afresh. Two writers of one path are refused. A symbolic link at `path` is replaced, not followed.
class AtomicFile {
 public:
  /// Raises Error when the folder does not exist or may not be written, or somebody is writing this file.
  explicit AtomicFile(std::string path) : path_(std::move(path)), partial_(path_ + ".partial") {
    open();
    buffer_.reserve(buffer_size);
  }

  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  ~AtomicFile() {
    if (file_) ::unlink(partial_.c_str());
  }

  /// Appends. Raises Error when the disk is full or fails.
  void write(std::span<const std::byte> bytes) {
    if (buffer_.size() + bytes.size() > buffer_size) flush();
    if (bytes.size() >= buffer_size) {
      write_through(bytes);
    } else {
      buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  /// Makes what was written durable and puts it in the place of `path`.
  void commit() {
    flush();
    if (::fsync(file_.get()) != 0) fail_to("write");
    if (::rename(partial_.c_str(), path_.c_str()) != 0) fail_to("replace");
    // From here on the name belongs to the new content; the lock went with it.
    if (!file_.close()) fail_to("write");
    sync_folder();
  }

 private:
  static constexpr std::size_t buffer_size = 1 << 16;

  /// The lock is on the file, not on its name: whoever waited for a name that was renamed meanwhile opens again.
  void open() {
    for (;;) {
      detail::FileDescriptor file(::open(partial_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
      if (!file) fail_to("write");
      if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        fail(concat("cannot write ", path_, ": it is being written already (", partial_, " is locked)"));
      }
      struct stat opened {};
      struct stat named {};
      const bool same = ::fstat(file.get(), &opened) == 0 && ::lstat(partial_.c_str(), &named) == 0 &&
                        opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
      if (!same) continue;
      file_ = std::move(file);
      if (::ftruncate(file_.get(), 0) != 0) fail_to("write");
      keep_permissions();
      return;
    }
  }

  void keep_permissions() {
    struct stat old {};
    if (::stat(path_.c_str(), &old) == 0 && ::fchmod(file_.get(), old.st_mode & 07777) != 0) fail_to("write");
  }

  void flush() {
    write_through(std::as_bytes(std::span(buffer_)));
    buffer_.clear();
  }

  void write_through(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_to("write");
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  /// The new name survives a power failure only once its folder is on the disk; some file systems cannot do that.
  void sync_folder() const {
    const auto slash = path_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
    const detail::FileDescriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return;  // a folder may be writable and not readable
    if (::fsync(directory.get()) != 0 && errno != EINVAL && errno != ENOTSUP) fail_to("write the folder of");
  }

  [[noreturn]] void fail_to(std::string_view action) const { detail::fail_on_file(action, path_); }

  std::string path_;
  std::string partial_;
  detail::FileDescriptor file_;
  std::string buffer_;
};

}  // namespace weft
