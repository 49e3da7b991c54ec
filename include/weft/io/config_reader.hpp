// SPDX-License-Identifier: Apache-2.0
/// \file
/// Fields of a configuration out of JSON, each checked for its type.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/config_fields.hpp"
#include "weft/io/json_value.hpp"

namespace weft::detail {

/// Takes fields out of a JSON object: what stays behind is what nobody asked for. A field that is absent keeps the value
/// it has; one of the wrong type raises Error with file, field, what may stand there and what was found.
class ConfigReader {
 public:
  /// \param prefix  stands before field names in messages, "" or "gnn_config."
  /// \param notes   gets a sentence where a value was replaced
  ConfigReader(JsonValue& object, std::string_view where, std::string prefix, std::vector<std::string>& notes)
      : object_(object), where_(where), prefix_(std::move(prefix)), notes_(notes) {}

  template <class Field>
  void operator()(const char* name, Field&& field) {
    if (object_.find(name) == nullptr) return;
    read(name, object_.take(name), field);
  }

  /// The same for a field that must be there.
  template <class Field>
  void require(const char* name, Field&& field) {
    if (object_.find(name) == nullptr) fail(concat(where_, ": ", prefix_, name, " is expected, but not there"));
    (*this)(name, field);
  }

  [[noreturn]] void refuse(std::string_view name, std::string_view expected, const JsonValue& found) const {
    fail(concat(where_, ": ", prefix_, name, " must be ", expected, ", found ", json_excerpt(found)));
  }

 private:
  void read(const char* name, const JsonValue& json, bool& truth) const {
    if (!json.is(JsonKind::boolean)) refuse(name, "true or false", json);
    truth = json.text == "true";
  }

  void read(const char* name, const JsonValue& json, double& number) const {
    if (!json.is(JsonKind::number) || !read_digits(json.text, number)) refuse(name, "a number", json);
  }

  void read(const char* name, const JsonValue& json, int& number) const {
    if (!json.is(JsonKind::number) || !read_digits(json.text, number)) refuse(name, "a whole number of 32 bits", json);
  }

  void read(const char* name, const JsonValue& json, const DerivedExtent<int>& extent) const {
    extent.value = 0;
    if (json.is(JsonKind::null)) return;
    read(name, json, extent.value);
    if (extent.value <= 0) refuse(name, "positive or null", json);
  }

  void read(const char* name, const JsonValue& json, TokenIds& ids) const {
    ids = {};
    if (json.is(JsonKind::null)) return;
    if (json.values.size() > TokenIds::capacity) refuse(name, concat("at most ", TokenIds::capacity, " ids"), json);
    int id = 0;
    if (!json.is(JsonKind::array)) {
      read(name, json, id);
      ids = id;
    }
    for (const JsonValue& element : json.values) {
      read(name, element, id);
      ids.push_back(id);
    }
  }

  template <NamedEnum Enum>
  void read(const char* name, const JsonValue& json, Enum& value) const {
    if (json.is(JsonKind::string) && read_name(json.text, value)) return;
    if constexpr (unknown_name_is_default<Enum>) {
      if (json.is(JsonKind::string)) {
        value = Enum{};
        notes_.push_back(concat(where_, ": ", prefix_, name, ": ", json_excerpt(json), " is not known; \"",
                                name_of(value), "\" is used, as by the reference"));
        return;
      }
    }
    refuse(name, "one of " + allowed<Enum>(), json);
  }

  /// All digits, or nothing: 1.0 is no int, and 1e999 no double.
  template <class Number>
  static bool read_digits(std::string_view digits, Number& number) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return error == std::errc() && end == digits.data() + digits.size();
  }

  template <class Enum>
  static bool read_name(std::string_view text, Enum& value) {
    for (std::size_t index = 0; index < enum_names<Enum>.size(); ++index) {
      if (text != enum_names<Enum>[index]) continue;
      value = static_cast<Enum>(index);
      return true;
    }
    return read_other_name(text, value);
  }

  template <class Enum>
  static std::string allowed() {
    std::string names;
    for (const std::string_view name : enum_names<Enum>) names += concat(names.empty() ? "\"" : ", \"", name, "\"");
    return names;
  }

  JsonValue& object_;
  std::string_view where_;
  std::string prefix_;
  std::vector<std::string>& notes_;
};

}  // namespace weft::detail
