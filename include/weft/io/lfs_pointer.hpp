// SPDX-License-Identifier: Apache-2.0
/// \file
/// What Git leaves in the place of a large file.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "weft/tensor/error.hpp"

namespace weft::detail {

/// Raises Error for the few lines of text that stand for a file of Git LFS until it is downloaded. Repositories of models that
/// were cloned without it are full of them.
inline void expect_no_lfs_pointer(std::span<const std::byte> bytes, const std::string& path) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with("version https://git-lfs.github.com/")) return;
  fail(concat("cannot read ", path, ": it is a pointer of Git LFS to a file that is not here; git lfs pull brings it"));
}

}  // namespace weft::detail
