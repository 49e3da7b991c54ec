// SPDX-License-Identifier: Apache-2.0
/// \file
/// Values of fields of a configuration out of JSON, each checked for its type, and into JSON.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/config_fields.hpp"
#include "weft/io/json_text.hpp"

namespace weft::detail {

/// A field that is being read: where it stands, for messages, and what it says.
struct FieldInput {
  std::string_view where;   ///< the file
  std::string_view prefix;  ///< of names, "" or "gnn_config."
  const char* name;
  const Json& json;
  bool strict;                      ///< unknown names are errors
  std::vector<std::string>& notes;  ///< gets a sentence where a value was replaced

  /// An element of a list.
  FieldInput element(const Json& one) const { return {where, prefix, name, one, strict, notes}; }

  [[noreturn, gnu::noinline]] void refuse(std::string_view expected) const {
    fail(concat(where, ": ", prefix, name, " must be ", expected, ", found ", json_excerpt(json)));
  }

  [[noreturn, gnu::noinline]] void refuse_name(std::span<const std::string_view> allowed) const {
    std::string names;
    for (const std::string_view one : allowed) names += concat(names.empty() ? "\"" : ", \"", one, "\"");
    refuse("one of " + names);
  }

  [[gnu::noinline]] void note_unknown_name(std::string_view meaning) const {
    notes.push_back(concat(where, ": ", prefix, name, ": ", json_excerpt(json), " is not known; \"", meaning,
                           "\" is used, as by the reference"));
  }
};

inline void read_field(const FieldInput& input, bool& truth) {
  const auto* value = input.json.get_if<bool>();
  if (value == nullptr) input.refuse("true or false");
  truth = *value;
}

inline void read_field(const FieldInput& input, double& number) {
  if (const auto* real = input.json.get_if<double>()) {
    number = *real;
  } else if (const auto* natural = input.json.get_if<std::uint64_t>()) {
    number = static_cast<double>(*natural);
  } else if (const auto* integer = input.json.get_if<std::int64_t>()) {
    number = static_cast<double>(*integer);
  } else {
    input.refuse("a number");
  }
}

inline void read_field(const FieldInput& input, int& number) {
  const auto* natural = input.json.get_if<std::uint64_t>();
  const auto* integer = input.json.get_if<std::int64_t>();
  if (natural != nullptr && std::in_range<int>(*natural)) {
    number = static_cast<int>(*natural);
  } else if (integer != nullptr && std::in_range<int>(*integer)) {
    number = static_cast<int>(*integer);
  } else {
    input.refuse("a whole number of 32 bits");
  }
}

inline void read_field(const FieldInput& input, DerivedExtent<int> extent) {
  extent.value = 0;
  if (input.json.is_null()) return;
  read_field(input, extent.value);
  if (extent.value <= 0) input.refuse("positive or null");
}

inline void read_field(const FieldInput& input, TokenIds& ids) {
  ids = {};
  if (input.json.is_null()) return;
  int id = 0;
  const auto* array = input.json.get_if<Json::Array>();
  if (array == nullptr) {
    read_field(input, id);
    ids = id;
    return;
  }
  if (array->size() > TokenIds::capacity) input.refuse(concat("at most ", TokenIds::capacity, " ids"));
  for (const Json& element : *array) {
    read_field(input.element(element), id);
    ids.push_back(id);
  }
}

/// The value of an enumeration as a number.
inline int read_name(const FieldInput& input, const EnumTable& table) {
  const auto* text = input.json.get_if<std::string>();
  if (text == nullptr) input.refuse_name(table.names);
  int value = find_name(*text, table.names);
  if (value < 0 && table.find_other_name != nullptr) value = table.find_other_name(*text);
  if (value < 0 && !input.strict) {
    value = table.meaning_of_unknown_name;
    if (value >= 0) input.note_unknown_name(table.names[static_cast<std::size_t>(value)]);
  }
  if (value < 0) input.refuse_name(table.names);
  return value;
}

template <NamedEnum Enum>
void read_field(const FieldInput& input, Enum& value) {
  value = static_cast<Enum>(read_name(input, enum_table<Enum>));
}

/// Null leaves a list as it is: the default.
template <class Value, std::size_t Capacity>
void read_field(const FieldInput& input, FixedList<Value, Capacity>& list) {
  if (input.json.is_null()) return;
  const auto* array = input.json.get_if<Json::Array>();
  if (array == nullptr || array->size() > Capacity) {
    input.refuse(concat("a list of at most ", Capacity, " values, or null"));
  }
  list = {};
  for (const Json& element : *array) {
    Value value{};
    read_field(input.element(element), value);
    list.push_back(value);
  }
}

/// What every field is written as.
inline Json field_json(bool truth) { return truth; }
inline Json field_json(int number) { return number; }
inline Json field_json(double number) {
  if (!std::isfinite(number)) fail(concat("config.json: a number must be finite, found ", number));
  return number;
}
inline Json field_json(DerivedExtent<const int> extent) { return extent.value == 0 ? Json() : Json(extent.value); }
inline Json field_json(const TokenIds& ids) {
  if (ids.empty()) return nullptr;
  if (ids.size() == 1) return *ids.begin();
  return Json::Array(ids.begin(), ids.end());
}
template <NamedEnum Enum>
Json field_json(Enum value) {
  return name_of(value);
}
template <class Value, std::size_t Capacity>
Json field_json(const FixedList<Value, Capacity>& list) {
  Json::Array array;
  for (const Value& value : list) array.push_back(field_json(value));
  return array;
}

}  // namespace weft::detail
