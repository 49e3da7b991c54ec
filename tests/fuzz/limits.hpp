// SPDX-License-Identifier: Apache-2.0
/// \file
/// What one input may cost: a second of the processor's time, and no allocation of more than a multiple of its own size.
#pragma once

#include <cstddef>

namespace weft::testing {

/// While it lives, the program ends with SIGABRT and a line when it takes longer than a second, sanitizers and all, or asks for
/// more than `per_byte` times the input and `in_any_case` bytes at once. Under the address sanitizer every allocation counts,
/// also those of RapidJSON and PCRE2; without it those of operator new.
class Limits {
 public:
  /// \param input_bytes  the size of the file
  /// \param in_any_case  what the smallest file may take
  /// \param per_byte     times its size
  explicit Limits(std::size_t input_bytes, std::size_t in_any_case, std::size_t per_byte = 4);
  Limits(const Limits&) = delete;
  Limits& operator=(const Limits&) = delete;
  ~Limits();
};

/// Ends the program with SIGABRT and a line unless `holds`.
void expect(bool holds, const char* what);

}  // namespace weft::testing
