// SPDX-License-Identifier: Apache-2.0
/// \file
/// Fields of a configuration out of JSON, each checked for its type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/config_fields.hpp"
#include "weft/io/strict_json.hpp"

namespace weft::detail {

/// Takes fields out of a JSON object: what stays behind is what nobody asked for. A field that is absent keeps the value
/// it has; one of the wrong type raises Error with file, field, what may stand there and what was found.
class ConfigReader {
 public:
  /// \param prefix  stands before field names in messages, "" or "gnn_config."
  /// \param notes   gets a sentence where a value was replaced
  /// \param strict  nothing is replaced: unknown names are errors
  ConfigReader(Json& object, std::string_view where, std::string prefix, std::vector<std::string>& notes,
               bool strict = false)
      : object_(object), where_(where), prefix_(std::move(prefix)), notes_(notes), strict_(strict) {}

  template <class Field>
  void operator()(const char* name, Field&& field) const {
    const auto member = object_.find(name);
    if (member == object_.end()) return;
    read(name, *member, field);
    object_.erase(member);
  }

  /// The same for a field that must be there.
  template <class Field>
  void require(const char* name, Field&& field) const {
    if (!object_.contains(name)) fail(concat(where_, ": ", prefix_, name, " is expected, but not there"));
    (*this)(name, field);
  }

  [[noreturn]] void refuse(std::string_view name, std::string_view expected, const Json& found) const {
    fail(concat(where_, ": ", prefix_, name, " must be ", expected, ", found ", json_excerpt(found)));
  }

 private:
  void read(const char* name, const Json& json, bool& truth) const {
    if (!json.is_boolean()) refuse(name, "true or false", json);
    truth = json.get<bool>();
  }

  void read(const char* name, const Json& json, double& number) const {
    if (!json.is_number()) refuse(name, "a number", json);
    number = json.get<double>();
  }

  void read(const char* name, const Json& json, int& number) const {
    const bool fits = json.is_number_unsigned()
                          ? std::in_range<int>(json.get<std::uint64_t>())
                          : json.is_number_integer() && std::in_range<int>(json.get<std::int64_t>());
    if (!fits) refuse(name, "a whole number of 32 bits", json);
    number = json.get<int>();
  }

  void read(const char* name, const Json& json, const DerivedExtent<int>& extent) const {
    extent.value = 0;
    if (json.is_null()) return;
    read(name, json, extent.value);
    if (extent.value <= 0) refuse(name, "positive or null", json);
  }

  void read(const char* name, const Json& json, TokenIds& ids) const {
    ids = {};
    if (json.is_null()) return;
    int id = 0;
    if (!json.is_array()) {
      read(name, json, id);
      ids = id;
      return;
    }
    if (json.size() > TokenIds::capacity) refuse(name, concat("at most ", TokenIds::capacity, " ids"), json);
    for (const Json& element : json) {
      read(name, element, id);
      ids.push_back(id);
    }
  }

  template <class Value>
  void read(const char* name, const Json& json, std::optional<Value>& value) const {
    value.reset();
    if (!json.is_null()) read(name, json, value.emplace());
  }

  /// Null leaves a list as it is: the default.
  template <class Value, std::size_t Capacity>
  void read(const char* name, const Json& json, FixedList<Value, Capacity>& list) const {
    if (json.is_null()) return;
    if (!json.is_array() || json.size() > Capacity) {
      refuse(name, concat("a list of at most ", Capacity, " values, or null"), json);
    }
    list = {};
    for (const Json& element : json) {
      Value value{};
      read(name, element, value);
      list.push_back(value);
    }
  }

  template <NamedEnum Enum>
  void read(const char* name, const Json& json, Enum& value) const {
    const auto* text = json.get_ptr<const std::string*>();
    if (text != nullptr && (read_listed_name(*text, value) || read_other_name(*text, value))) return;
    if constexpr (meaning_of_unknown_name<Enum>.has_value()) {
      if (text != nullptr && !strict_) {
        value = *meaning_of_unknown_name<Enum>;
        notes_.push_back(concat(where_, ": ", prefix_, name, ": ", json_excerpt(json), " is not known; \"",
                                name_of(value), "\" is used, as by the reference"));
        return;
      }
    }
    refuse(name, "one of " + allowed<Enum>(), json);
  }

  template <class Enum>
  static std::string allowed() {
    std::string names;
    for (const std::string_view name : enum_names<Enum>) names += concat(names.empty() ? "\"" : ", \"", name, "\"");
    return names;
  }

  Json& object_;
  std::string_view where_;
  std::string prefix_;
  std::vector<std::string>& notes_;
  bool strict_;
};

}  // namespace weft::detail
