// SPDX-License-Identifier: Apache-2.0
/// \file
/// The version of the library. CMake reads the three numbers from here.
#pragma once

#define WEFT_VERSION_MAJOR 0  ///< Raised when programs have to change.
#define WEFT_VERSION_MINOR 1  ///< Raised when something is added.
#define WEFT_VERSION_PATCH 0  ///< Raised when something is mended.

namespace weft {

/// The version as text, "major.minor.patch".
inline constexpr char version[] = "0.1.0";

}  // namespace weft
