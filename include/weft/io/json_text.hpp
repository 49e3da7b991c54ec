// SPDX-License-Identifier: Apache-2.0
/// \file
/// JSON values as text: for files, by RapidJSON, and for messages.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <rapidjson/prettywriter.h>

#include "weft/io/json.hpp"
#include "weft/tensor/utf8.hpp"

namespace weft::detail {

/// The shortest digits that give the same number, "1.0" rather than "1" and "1e+12" rather than a row of zeros: a list of
/// numbers never becomes several times as long as it was. Null for what JSON cannot say.
inline std::string number_text(double number) {
  if (!std::isfinite(number)) return "null";
  const auto digits = [&](std::chars_format format) {
    char text[32];  // of 17 digits, 15 places, a sign and a point
    return std::string(text, std::to_chars(text, text + sizeof text, number, format).ptr);
  };
  std::string scientific = digits(std::chars_format::scientific);
  const double magnitude = std::abs(number);
  if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e15)) return scientific;
  std::string plain = digits(std::chars_format::fixed);
  if (plain.find('.') == std::string::npos) plain += ".0";
  constexpr std::size_t zeros = 4;  // 1000000.0, but 1e+07
  return plain.size() <= scientific.size() + zeros ? plain : scientific;
}

/// Sends a value to one of RapidJSON's writers.
template <class Writer>
void write_json(Writer& writer, const Json& json) {
  const auto write_text = [&](const std::string& text) {
    const std::string valid = replace_invalid_utf8(text);
    writer.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
  };
  if (json.is_null()) {
    writer.Null();
  } else if (const auto* truth = json.get_if<bool>()) {
    writer.Bool(*truth);
  } else if (const auto* natural = json.get_if<std::uint64_t>()) {
    writer.Uint64(*natural);
  } else if (const auto* integer = json.get_if<std::int64_t>()) {
    writer.Int64(*integer);
  } else if (const auto* real = json.get_if<double>()) {
    const std::string digits = number_text(*real);
    writer.RawValue(digits.data(), digits.size(), rapidjson::kNumberType);
  } else if (const auto* text = json.get_if<std::string>()) {
    write_text(*text);
  } else if (const auto* elements = json.get_if<Json::Array>()) {
    writer.StartArray();
    for (const Json& element : *elements) write_json(writer, element);
    writer.EndArray();
  } else if (const auto* members = json.get_if<Json::Object>()) {
    writer.StartObject();
    for (const auto& [name, value] : *members) {
      write_text(name);
      write_json(writer, value);
    }
    writer.EndObject();
  }
}

/// Where RapidJSON's writers write to. (Its own buffer asks for six bytes for each of a text before it writes one.)
struct JsonOutput {
  using Ch = char;

  std::string text{};

  void Put(char character) { text.push_back(character); }
  void Flush() {}
};

/// On one line. U+FFFD stands for what is no UTF-8, null for numbers that are not finite.
inline std::string json_text(const Json& json) {
  JsonOutput output;
  rapidjson::Writer<JsonOutput> writer(output);
  write_json(writer, json);
  return std::move(output.text);
}

/// The same with a line for each value, two spaces a level.
inline std::string json_lines(const Json& json) {
  JsonOutput output;
  rapidjson::PrettyWriter<JsonOutput> writer(output);
  writer.SetIndent(' ', 2);
  write_json(writer, json);
  return std::move(output.text);
}

/// JSON on one line with `\u` escapes for all but printable ASCII.
inline std::string ascii_text(std::string_view json) {
  std::string text;
  const auto append_escape = [&](char32_t unit) {
    text += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4)
      text += "0123456789abcdef"[(unit >> static_cast<unsigned>(shift)) & 0xFU];
  };
  while (!json.empty()) {
    const Utf8Character character = first_character(json);
    json.remove_prefix(character.length);
    if (character.point < 0x7F) {
      text += static_cast<char>(character.point);
    } else if (character.point < 0x10000) {
      append_escape(character.point);
    } else {
      append_escape(0xD800 + ((character.point - 0x10000) >> 10U));
      append_escape(0xDC00 + ((character.point - 0x10000) & 0x3FFU));
    }
  }
  return text;
}

inline constexpr std::size_t kLongestExcerpt = 200;  ///< bytes

/// The beginning of a value: parts whose text is beyond the excerpt's end are left out.
/// \param room  bytes that are left, and are taken
inline Json beginning_of(const Json& json, std::size_t& room) {
  room -= std::min<std::size_t>(room, 1);
  if (const auto* text = json.get_if<std::string>()) {
    const std::string_view begin = std::string_view(*text).substr(0, room);
    room -= begin.size();
    return begin;
  }
  if (const auto* elements = json.get_if<Json::Array>()) {
    Json::Array begin;
    for (std::size_t i = 0; i < elements->size() && room > 0; ++i) begin.push_back(beginning_of((*elements)[i], room));
    return begin;
  }
  if (const auto* members = json.get_if<Json::Object>()) {
    Json::Object begin;
    for (auto member = members->begin(); member != members->end() && room > 0; ++member) {
      const std::string_view name = std::string_view(member->first).substr(0, room);
      room -= name.size();
      begin.emplace(name, beginning_of(member->second, room));
    }
    return begin;
  }
  return json;
}

/// A value as one short line of ASCII for messages: no file can flood them, or steer a terminal.
inline std::string json_excerpt(const Json& json) {
  std::size_t room = kLongestExcerpt + 1;
  std::string text = ascii_text(json_text(beginning_of(json, room)));
  if (text.size() > kLongestExcerpt) text.replace(kLongestExcerpt, std::string::npos, "...");
  return text;
}

/// A name from a file, for messages.
inline std::string in_quotes(std::string_view name) { return json_excerpt(Json(name)); }

}  // namespace weft::detail
