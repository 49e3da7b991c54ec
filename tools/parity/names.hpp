// SPDX-License-Identifier: Apache-2.0
/// \file
/// The names that golden files use for choices, read as configuration files are.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>

#include "weft/io/config_fields.hpp"

namespace parity {

/// The value of an enumeration that a name stands for.
template <weft::NamedEnum Enum>
Enum named(const std::string& name) {
  int value = weft::detail::find_name(name, weft::enum_names<Enum>);
  if constexpr (weft::detail::find_other_name<Enum> != nullptr) {
    if (value < 0) value = weft::detail::find_other_name<Enum>(name);
  }
  if (value < 0) weft::fail("unknown name " + name);
  return static_cast<Enum>(value);
}

/// The name in small letters.
inline std::string lowered(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return name;
}

}  // namespace parity
