// SPDX-License-Identifier: Apache-2.0
/// \file
/// The fields of a configuration as a list, and how they are taken out of a JSON object.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/field_type.hpp"
#include "weft/io/gnn_fields.hpp"

namespace weft::detail {

/// One field of a configuration.
struct ConfigField {
  const char* name;
  FieldOf whose;
  void* value;
  const FieldType* type;

  Json json() const { return type->write(*type, value); }
};

/// \param whose  see FieldOf
template <class Field>
ConfigField config_field(const char* name, Field& field, FieldOf whose = FieldOf::reference) {
  return {name, whose, &field, &field_type<Field>};
}
inline ConfigField config_field(const char* name, DerivedExtent<int> extent) {
  return {name, FieldOf::reference, &extent.value, &field_type<DerivedExtent<int>>};
}

/// A visitor of `visit_llama_fields`, `visit_gnn_fields` and their like that makes the list. It refers to the
/// configuration that was visited.
class ConfigFieldList {
 public:
  template <class... Field>
  void operator()(const char* name, Field&&... field) {
    add(config_field(name, field...));
  }

  const std::vector<ConfigField>& fields() const { return fields_; }

 private:
  [[gnu::noinline]] void add(const ConfigField& field) { fields_.push_back(field); }

  std::vector<ConfigField> fields_;
};

inline std::vector<ConfigField> list_fields(LlamaConfig& config) {
  ConfigFieldList list;
  visit_llama_fields(config, list);
  return list.fields();
}
inline std::vector<ConfigField> list_fields(GNNConfig& config) {
  ConfigFieldList list;
  visit_gnn_fields(config, list);
  return list.fields();
}

/// Takes fields out of a JSON object: what stays behind is what nobody asked for. A field that is absent keeps the value
/// it has; one of the wrong type raises Error with file, field, what may stand there and what was found.
class ConfigReader {
 public:
  /// \param prefix  stands before field names in messages, "" or "gnn_config."
  /// \param notes   gets a sentence where a value was replaced
  /// \param strict  nothing is replaced: unknown names are errors
  ConfigReader(Json::Object& object, std::string_view where, std::string prefix, std::vector<std::string>& notes,
               bool strict = false)
      : object_(object), where_(where), prefix_(std::move(prefix)), notes_(notes), strict_(strict) {}

  void read(const ConfigField& field) const {
    const auto member = object_.find(field.name);
    if (member == object_.end()) return;
    field.type->read({where_, prefix_, field.name, member->second, strict_, notes_}, *field.type, field.value);
    object_.erase(member);
  }

  /// The same for a field that must be there.
  void require(const ConfigField& field) const {
    if (!object_.contains(field.name)) {
      fail(concat(where_, ": ", prefix_, field.name, " is expected, but not there"));
    }
    read(field);
  }

 private:
  Json::Object& object_;
  std::string_view where_;
  std::string prefix_;
  std::vector<std::string>& notes_;
  bool strict_;
};

}  // namespace weft::detail
