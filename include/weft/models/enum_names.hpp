// SPDX-License-Identifier: Apache-2.0
/// \file
/// Enumerations with the names that configuration files use for their values.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace weft {

/// The names of the values of an enumeration that counts from 0, in order. Specialised beside each enumeration.
template <class Enum>
inline constexpr std::array<std::string_view, 0> enum_names{};

/// An enumeration whose values have names.
template <class Enum>
concept NamedEnum = std::is_enum_v<Enum> && !enum_names<Enum>.empty();

/// The name of a value, as files write it; "?" for a number outside of the enumeration.
template <NamedEnum Enum>
constexpr std::string_view name_of(Enum value) {
  const auto index = static_cast<std::size_t>(value);
  return index < enum_names<Enum>.size() ? enum_names<Enum>[index] : "?";
}

}  // namespace weft
