// SPDX-License-Identifier: Apache-2.0
/// \file
/// JSON values in memory.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/json_reader.hpp"

namespace weft::detail {

/// One JSON value with all that it holds. Numbers stay the text they were, so that a round trip changes no digit.
struct JsonValue {
  JsonKind kind = JsonKind::null;
  std::string text{};               ///< the string, or the digits of the number, or "true" or "false"
  std::vector<std::string> keys{};  ///< of an object, each once, in the order of the file
  std::vector<JsonValue> values{};  ///< of an object or array

  static JsonValue object() { return {JsonKind::object}; }
  static JsonValue string(std::string_view text) { return {JsonKind::string, std::string(text)}; }
  static JsonValue boolean(bool truth) { return {JsonKind::boolean, truth ? "true" : "false"}; }
  static JsonValue number(int number) { return {JsonKind::number, std::to_string(number)}; }

  /// The shortest digits that give the same number, recognisably not a whole one: 1.0, 1e-05. It must be finite.
  static JsonValue number(double number) {
    char digits[32];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
    std::string text(digits, end);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return {JsonKind::number, std::move(text)};
  }

  bool is(JsonKind other) const { return kind == other; }
  bool operator==(std::string_view string) const { return kind == JsonKind::string && text == string; }

  /// A member of an object, or null.
  JsonValue* find(std::string_view key) {
    const auto found = std::find(keys.begin(), keys.end(), key);
    return found == keys.end() ? nullptr : &values[static_cast<std::size_t>(found - keys.begin())];
  }

  /// Adds or replaces a member of an object.
  void set(std::string_view key, JsonValue value) {
    if (JsonValue* old = find(key)) {
      *old = std::move(value);
    } else {
      keys.emplace_back(key);
      values.push_back(std::move(value));
    }
  }

  /// Removes a member of an object and returns it; null if there is none.
  JsonValue take(std::string_view key) {
    const auto found = std::find(keys.begin(), keys.end(), key);
    if (found == keys.end()) return {};
    const auto value = values.begin() + (found - keys.begin());
    JsonValue taken = std::move(*value);
    keys.erase(found);
    values.erase(value);
    return taken;
  }

  /// Writes the value; keys are sorted.
  /// \param indent  spaces a level, or -1 for one line
  std::string dump(int indent = -1) const {
    std::string out;
    write(out, indent, indent);
    return out;
  }

 private:
  void write(std::string& out, int indent, int margin) const {
    if (kind == JsonKind::null) {
      out += "null";
    } else if (kind == JsonKind::string) {
      out += json_string(text);
    } else if (kind == JsonKind::number || kind == JsonKind::boolean) {
      out += text;
    } else {
      write_container(out, indent, margin);
    }
  }

  void write_container(std::string& out, int indent, int margin) const {
    const bool is_object = kind == JsonKind::object;
    out += is_object ? '{' : '[';
    std::string_view separator;
    for (const std::size_t index : order()) {
      out += separator;
      new_line(out, margin);
      if (is_object) out += json_string(keys[index]) + (indent < 0 ? ":" : ": ");
      values[index].write(out, indent, indent < 0 ? indent : margin + indent);
      separator = ",";
    }
    if (!values.empty()) new_line(out, indent < 0 ? indent : margin - indent);
    out += is_object ? '}' : ']';
  }

  std::vector<std::size_t> order() const {
    std::vector<std::size_t> order(values.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    if (kind == JsonKind::object) {
      std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
    }
    return order;
  }

  static void new_line(std::string& out, int margin) {
    if (margin < 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(margin), ' ');
  }
};

inline JsonValue read_json_value(JsonReader& reader, std::string_view what) {
  JsonValue value{reader.kind()};
  switch (value.kind) {
    case JsonKind::null:
      reader.null(what);
      break;
    case JsonKind::boolean:
      value = JsonValue::boolean(reader.boolean(what));
      break;
    case JsonKind::number:
      value.text = reader.number(what);
      break;
    case JsonKind::string:
      value.text = reader.string(what);
      break;
    case JsonKind::array:
      reader.array(what, [&] { value.values.push_back(read_json_value(reader, "an element")); });
      break;
    case JsonKind::object:
      reader.object(what, [&](const std::string& key) {
        value.keys.push_back(key);
        value.values.push_back(read_json_value(reader, key));
      });
      break;
  }
  return value;
}

/// Which of two members a program means that both have one name is anybody's guess.
inline void expect_unique_keys(const JsonValue& value, std::string_view where) {
  std::vector<std::string_view> sorted(value.keys.begin(), value.keys.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) fail(concat(where, ": the key ", in_quotes(*twice), " must not appear twice"));
  for (const JsonValue& inner : value.values) expect_unique_keys(inner, where);
}

/// Parses a whole text; keys must be unique. Raises Error.
/// \param where  the file, for messages
inline JsonValue parse_json(std::string_view text, std::string_view where) {
  JsonReader reader(text, where);
  JsonValue value = read_json_value(reader, "the text");
  reader.finish();
  expect_unique_keys(value, where);
  return value;
}

/// A value as one short line for messages.
inline std::string json_excerpt(const JsonValue& value) { return excerpt(value.dump()); }

}  // namespace weft::detail
