// SPDX-License-Identifier: Apache-2.0
/// \file
/// Counts heap allocations of a whole program: linked in, it replaces every form of operator new and operator delete.
#pragma once

#include <cstdint>

namespace weft::testing {

/// Calls of any operator new since the program began, on all threads.
std::uint64_t allocations();

/// Calls of any operator delete with something to delete.
std::uint64_t deallocations();

}  // namespace weft::testing
