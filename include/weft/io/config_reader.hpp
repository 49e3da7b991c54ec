// SPDX-License-Identifier: Apache-2.0
/// \file
/// Fields of a configuration out of JSON, each checked for its type.
#pragma once

#include <cstdint>
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
  ConfigReader(Json& object, std::string_view where, std::string prefix, std::vector<std::string>& notes)
      : object_(object), where_(where), prefix_(std::move(prefix)), notes_(notes) {}

  template <class Field>
  void operator()(const char* name, Field&& field) {
    const auto member = object_.find(name);
    if (member == object_.end()) return;
    read(name, *member, field);
    object_.erase(member);
  }

  /// The same for a field that must be there.
  template <class Field>
  void require(const char* name, Field&& field) {
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

  template <NamedEnum Enum>
  void read(const char* name, const Json& json, Enum& value) const {
    const auto* text = json.get_ptr<const std::string*>();
    if (text != nullptr && read_name(*text, value)) return;
    if constexpr (unknown_name_is_default<Enum>) {
      if (text != nullptr) {
        value = Enum{};
        notes_.push_back(concat(where_, ": ", prefix_, name, ": ", json_excerpt(json), " is not known; \"",
                                name_of(value), "\" is used, as by the reference"));
        return;
      }
    }
    refuse(name, "one of " + allowed<Enum>(), json);
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

  Json& object_;
  std::string_view where_;
  std::string prefix_;
  std::vector<std::string>& notes_;
};

}  // namespace weft::detail
