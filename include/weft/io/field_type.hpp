// SPDX-License-Identifier: Apache-2.0
/// \file
/// The types that fields of a configuration have, as values: what is done with all fields is compiled once and not for each
/// type.
#pragma once

#include <cstddef>
#include <cstring>
#include <optional>

#include "weft/io/config_json.hpp"

namespace weft::detail {

/// What to do with an optional value before its address is taken.
enum class OptionalStep { look, fill, empty };

/// How a field is read and written.
struct FieldType {
  void (*read)(const FieldInput& input, const FieldType& type, void* value);
  Json (*write)(const FieldType& type, const void* value);
  const EnumTable* table = nullptr;                            ///< of an enumeration
  const FieldType* inner = nullptr;                            ///< of what an optional holds
  void* (*step)(void* optional, OptionalStep todo) = nullptr;  ///< the address of what it holds, or null
};

template <class Field>
void read_plain(const FieldInput& input, const FieldType&, void* value) {
  read_field(input, *static_cast<Field*>(value));
}
template <class Field>
Json write_plain(const FieldType&, const void* value) {
  return field_json(*static_cast<const Field*>(value));
}

inline void read_derived_extent(const FieldInput& input, const FieldType&, void* value) {
  read_field(input, DerivedExtent{*static_cast<int*>(value)});
}
inline Json write_derived_extent(const FieldType&, const void* value) {
  return field_json(DerivedExtent{*static_cast<const int*>(value)});
}

/// An enumeration that lies in memory as an `int` does.
template <class Enum>
concept IntEnum = NamedEnum<Enum> && sizeof(Enum) == sizeof(int);

inline void read_enum(const FieldInput& input, const FieldType& type, void* value) {
  const int number = read_name(input, *type.table);
  std::memcpy(value, &number, sizeof number);
}
inline Json write_enum(const FieldType& type, const void* value) {
  int number = 0;
  std::memcpy(&number, value, sizeof number);
  const auto index = static_cast<std::size_t>(number);
  return index < type.table->names.size() ? type.table->names[index] : "?";
}

/// \tparam Optional  a std::optional or a Switch
template <class Optional, class Value>
void* step_optional(void* optional, OptionalStep todo) {
  auto& value = *static_cast<Optional*>(optional);
  if (todo == OptionalStep::fill) value = Value{};
  if (todo == OptionalStep::empty) value.reset();
  return value.has_value() ? &*value : nullptr;
}
inline void read_optional(const FieldInput& input, const FieldType& type, void* value) {
  type.step(value, OptionalStep::empty);
  if (!input.json.is_null()) type.inner->read(input, *type.inner, type.step(value, OptionalStep::fill));
}
inline Json write_optional(const FieldType& type, const void* value) {
  const void* held = type.step(const_cast<void*>(value), OptionalStep::look);
  return held != nullptr ? type.inner->write(*type.inner, held) : Json();
}

template <class Field>
inline constexpr FieldType field_type{read_plain<Field>, write_plain<Field>};
template <>
inline constexpr FieldType field_type<DerivedExtent<int>>{read_derived_extent, write_derived_extent};
template <IntEnum Enum>
inline constexpr FieldType field_type<Enum>{read_enum, write_enum, &enum_table<Enum>};
template <class Optional, class Value>
inline constexpr FieldType optional_type{read_optional, write_optional, nullptr, &field_type<Value>,
                                         step_optional<Optional, Value>};
template <class Value>
inline constexpr FieldType field_type<std::optional<Value>> = optional_type<std::optional<Value>, Value>;
template <class Value>
inline constexpr FieldType field_type<Switch<Value>> = optional_type<Switch<Value>, Value>;

}  // namespace weft::detail
