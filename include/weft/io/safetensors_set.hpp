// SPDX-License-Identifier: Apache-2.0
/// \file
/// Several safetensors files as one set of tensors.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "weft/io/safetensors_reader.hpp"

namespace weft {

/// A view of the tensors of one file or several. Which file has a tensor matters to nobody but messages.
class SafetensorsSet {
 public:
  /// One file.
  SafetensorsSet(const SafetensorsFile& file) : SafetensorsSet(std::span(&file, 1), file.path()) {}

  /// \param files  which have no name in common
  /// \param path   what messages call them together
  SafetensorsSet(std::span<const SafetensorsFile> files, std::string path) : files_(files), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::span<const SafetensorsFile> files() const { return files_; }

  /// Whether there is a tensor of this name.
  bool contains(std::string_view name) const { return find(name) != nullptr; }

  /// The file with this tensor. Raises Error when none has it.
  const SafetensorsFile& file_of(std::string_view name) const {
    const SafetensorsFile* file = find(name);
    if (file == nullptr) fail_on_missing(name);
    return *file;
  }

  /// Raises Error when there is no such tensor.
  const SafetensorsTensor& tensor(std::string_view name) const { return file_of(name).tensor(name); }

  /// See SafetensorsFile.
  void load_parameter(const AnyParameter& target, std::string_view name) const {
    file_of(name).load_parameter(target, name);
  }

  void map_parameter(const AnyParameter& target, std::string_view name) const {
    file_of(name).map_parameter(target, name);
  }

  /// Raises Error when there is a tensor that is not among `known`.
  void expect_no_others(std::span<const std::string> known) const {
    for (const SafetensorsFile& file : files_) file.expect_no_others(known);
  }

 private:
  /// Names one that is there: where a file comes from another program, its names tell which.
  [[noreturn]] void fail_on_missing(std::string_view name) const {
    std::size_t count = 0;
    std::string_view first;
    for (const SafetensorsFile& file : files_) {
      if (count == 0 && !file.tensors().empty()) first = file.tensors().front().name;
      count += file.tensors().size();
    }
    fail(concat(path_, ": tensor ", detail::in_quotes(name), " is expected, but not there; ",
                count == 0 ? "there is none" : concat("of ", count, " the first is ", detail::in_quotes(first))));
  }

  const SafetensorsFile* find(std::string_view name) const {
    for (const SafetensorsFile& file : files_) {
      if (file.contains(name)) return &file;
    }
    return nullptr;
  }

  std::span<const SafetensorsFile> files_;
  std::string path_;
};

}  // namespace weft
