// SPDX-License-Identifier: Apache-2.0
/// \file
/// Configurations as constants, written down by the names that their fields have in config.json.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>

#include "weft/io/config_fields.hpp"
#include "weft/io/gnn_fields.hpp"

namespace weft {

/// A number, a truth or a name.
struct ConfigValue {
  double number = 0;
  std::string_view name{};

  constexpr ConfigValue(bool truth) : number(truth ? 1 : 0) {}
  constexpr ConfigValue(int value) : number(value) {}
  constexpr ConfigValue(double value) : number(value) {}
  constexpr ConfigValue(const char* text) : name(text) {}
};

/// A field and its values, one for most.
struct NamedField {
  std::string_view name;
  std::initializer_list<ConfigValue> values;
};

namespace detail {

// Calls of these end a constant expression; the compiler shows their names.
inline void a_name_is_no_field_of_this_configuration() {}
inline void a_name_is_no_value_of_this_field() {}

/// Gives a field of any type its value.
template <class Field>
constexpr void assign_field(Field& field, std::initializer_list<ConfigValue> values) {
  if constexpr (requires { field.push_back({}); }) {
    field = {};
    for (const ConfigValue& value : values) {
      std::remove_cvref_t<decltype(*field.begin())> element{};
      assign_field(element, {value});
      field.push_back(element);
    }
  } else if constexpr (requires { field = std::nullopt; }) {
    std::remove_cvref_t<decltype(*field)> value{};
    assign_field(value, values);
    if (values.size() > 0) field = value;
  } else if constexpr (NamedEnum<Field>) {
    std::size_t index = 0;
    while (index < enum_names<Field>.size() && enum_names<Field>[index] != values.begin()->name) ++index;
    if (index == enum_names<Field>.size()) a_name_is_no_value_of_this_field();
    field = static_cast<Field>(index);
  } else if (values.size() > 0) {
    field = static_cast<Field>(values.begin()->number);
  }
}

/// Visits the fields of a configuration and fills those that are named.
struct FieldSetter {
  std::initializer_list<NamedField> fields;
  std::size_t found = 0;

  template <class Field, class... Whose>
  constexpr void operator()(const char* name, Field&& field, Whose...) {
    for (const NamedField& named : fields) {
      if (named.name != name) continue;
      ++found;
      if constexpr (requires { field.value; }) {  // an extent that may be null
        assign_field(field.value, named.values);
      } else {
        assign_field(field, named.values);
      }
    }
  }
};

constexpr void set_fields(LlamaConfig& config, FieldSetter& setter) {
  visit_llama_fields(config, setter);
  setter("rope_type", config.rope_scaling.type);
  visit_rope_fields(config.rope_scaling, setter);
}
constexpr void set_fields(GNNConfig& config, FieldSetter& setter) { visit_gnn_fields(config, setter); }

}  // namespace detail

/// A configuration with the named fields set, the others at their defaults. A name that there is not, of a field or of a value,
/// does not compile.
///
///     static constexpr auto llama = weft::config_of<weft::LlamaConfig>({{"vocab_size", {300}}, {"hidden_act", {"gelu"}}});
template <class Config>
consteval Config config_of(std::initializer_list<NamedField> fields) {
  Config config;
  detail::FieldSetter setter{fields};
  detail::set_fields(config, setter);
  if (setter.found != fields.size()) detail::a_name_is_no_field_of_this_configuration();
  return config;
}

}  // namespace weft
