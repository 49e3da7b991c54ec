// SPDX-License-Identifier: Apache-2.0
/// \file
/// Folders that appear whole or not at all.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include "weft/io/file_descriptor.hpp"
#include "weft/io/folder.hpp"

namespace weft::detail {

/// A folder that is written under a new name and gets its own when it is complete; otherwise nothing of it is left. A killed
/// process leaves its `<path>.partial-<process>` behind: nobody else can know that it is of no use.
class AtomicFolder {
 public:
  /// Raises Error where there is something at `path` other than an empty folder, and where no folder can get this name: it must
  /// not end in `.` or `..`, and a symbolic link would stay one.
  explicit AtomicFolder(std::string path) : path_(std::move(path)) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    expect_free();
    make_partial();
  }
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  ~AtomicFolder() {
    if (!committed_) remove_partial();
  }

  /// Where its files are to be written.
  const std::string& path() const { return partial_; }

  /// Raises Error where something came to be at `path` meanwhile, other than an empty folder; it stays as it is.
  void commit() {
    if (::rename(partial_.c_str(), path_.c_str()) != 0) {
      const bool exists = errno == ENOTEMPTY || errno == EEXIST;
      fail(concat("cannot write ", path_, ": ", exists ? "somebody else made it meanwhile" : std::strerror(errno)));
    }
    committed_ = true;
  }

 private:
  static std::vector<std::string> files_of(const std::string& folder) {
    std::vector<std::string> names = names_in_folder(folder);
    std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
    return names;
  }

  void expect_free() const {
    const auto refuse = [&](std::string_view reason) { fail(concat("cannot write ", path_, ": ", reason)); };
    const std::string_view name = std::string_view(path_).substr(path_.rfind('/') + 1);
    if (name.empty() || name == "." || name == "..") refuse("the path must end in the name of a folder");
    if (is_link(path_)) refuse("it is a symbolic link");
    if (path_exists(path_) && !(is_folder(path_) && files_of(path_).empty())) refuse("it exists already");
  }

  /// What has such a name already is somebody else's.
  void make_partial() {
    make_folders(parent_of(path_));
    const std::string name = concat(path_, ".partial-", ::getpid());
    partial_ = name;
    for (int i = 2; ::mkdir(partial_.c_str(), 0777) != 0; ++i) {
      if (errno != EEXIST) fail_on_file("make the folder", partial_);
      partial_ = concat(name, "-", i);
    }
  }

  void remove_partial() const {
    for (const std::string& name : files_of(partial_)) ::unlink(concat(partial_, "/", name).c_str());
    ::rmdir(partial_.c_str());
  }

  std::string path_;
  std::string partial_;
  bool committed_ = false;
};

}  // namespace weft::detail
