// SPDX-License-Identifier: Apache-2.0
/// \file
/// A model's folder as a C++ type.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weft/io/json_config.hpp"

namespace weft {

namespace detail {

/// The values of a field as `ConfigValue`s.
inline std::string values_text(const Json& json) {
  if (json.is_null()) return "";
  const auto* list = json.get_if<Json::Array>();
  if (list == nullptr) return json_text(json);
  std::string text;
  for (const Json& element : *list) text += (text.empty() ? "" : ", ") + json_text(element);
  return text;
}

/// The fields that are not at their defaults, a line for each.
inline std::string fields_text(std::vector<ConfigField> fields, const std::vector<ConfigField>& usual) {
  std::string text;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Json value = fields[i].json();
    if (i < usual.size() && value == usual[i].json()) continue;
    text += concat(text.empty() ? "" : ",", "\n      {\"", fields[i].name, "\", {", values_text(value), "}}");
  }
  return text;
}

inline std::string llama_fields_text(LlamaConfig llama) {
  LlamaConfig defaults;
  std::string text = fields_text(list_fields(llama), list_fields(defaults));
  if (llama.rope_scaling.type == RopeType::standard) return text;
  ConfigFieldList numbers;
  visit_rope_fields(llama.rope_scaling, numbers);
  text += concat(text.empty() ? "" : ",", "\n      {\"rope_type\", {\"", name_of(llama.rope_scaling.type), "\"}}");
  return text + "," + fields_text(numbers.fields(), {});
}

/// A text as C++ spells it.
inline std::string cpp_text(std::string_view text) {
  std::string spelled = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x20 && byte < 0x7F && character != '"' && character != '\\' && character != '?') {
      spelled += character;
    } else {
      spelled += '\\';
      for (const int shift : {6, 3, 0}) spelled += static_cast<char>('0' + (byte >> shift & 7));
    }
  }
  return spelled += '"';
}

inline void expect_identifier(std::string_view name) {
  bool good = !name.empty() && !(name[0] >= '0' && name[0] <= '9');
  for (const char c : name)
    good = good && (c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
  if (!good) fail(concat("model_header: the name of a type is expected, found ", in_quotes(name)));
}

}  // namespace detail

/// The text of a header that defines a configuration type of this name, with `folder` where its weights are:
///
///     const auto model = weft::load_pretrained<MyModel>(MyModel::folder);
///
/// \param embedded  whether the weights are in the program, between two symbols that `weft_add_model` defines; then
///                  `load_embedded<MyModel>()` reads them there
inline std::string model_header(const PretrainedConfig& config, std::string_view name, std::string_view folder,
                                bool embedded = false) {
  detail::expect_identifier(name);
  GNNConfig defaults;
  GNNConfig gnn = config.gnn;
  const std::string symbol = concat("weft_weights_of_", name);
  const std::string symbols = embedded ? concat("extern \"C\" const std::byte ", symbol,
                                                "_begin[];\nextern \"C\" const std::byte ", symbol, "_end[];\n\n")
                                       : std::string();
  const std::string weights =
      embedded ? concat("\n  /// The file with its weights.\n  static std::span<const std::byte> weights() { return {",
                        symbol, "_begin, ", symbol, "_end}; }\n")
               : std::string();
  return concat(
      "// Written from the config.json of a model folder.\n#pragma once\n\n#include <cstddef>\n#include <span>\n\n",
      "#include <weft/io/named_config.hpp>\n\n", symbols, "/// A model as a type.\nstruct ", name, " {\n",
      "  static constexpr weft::LlamaConfig llama = weft::config_of<weft::LlamaConfig>({",
      detail::llama_fields_text(config.llama), "});\n",
      "  static constexpr weft::GNNConfig gnn = weft::config_of<weft::GNNConfig>({",
      detail::fields_text(detail::list_fields(gnn), detail::list_fields(defaults)), "});\n",
      "  static constexpr const char* folder = ", detail::cpp_text(folder), ";\n", weights, "};\n");
}

}  // namespace weft
