// SPDX-License-Identifier: Apache-2.0
/// \file
/// Named values as lines to read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>

#include "weft/io/json_text.hpp"

namespace apps {

/// A value with its name in JSON.
struct Figure {
  const char* name;
  weft::detail::Json value;
};

/// A whole number with a comma for each thousand, another as it is; yes or no; a text.
inline std::string value_text(const weft::detail::Json& value) {
  if (const auto* text = value.get_if<std::string>()) return *text;
  if (const auto* truth = value.get_if<bool>()) return *truth ? "yes" : "no";
  std::string digits = weft::detail::json_text(value);
  if (value.get_if<double>() != nullptr) return digits;
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

/// "1.50 MB" of a whole number of bytes.
inline std::string bytes_text(const weft::detail::Json& value) {
  const auto* whole = value.get_if<std::uint64_t>();
  double bytes = whole != nullptr ? static_cast<double>(*whole) : 0;
  if (bytes < 1000) return value_text(value) + " bytes";
  const char* const units[]{"kB", "MB", "GB", "TB", "PB", "EB"};
  std::size_t unit = 0;
  for (bytes /= 1000; bytes >= 999.5; bytes /= 1000) ++unit;
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %s", bytes, units[unit]);
  return text;
}

/// An indented line. Names have blanks where JSON has underscores.
inline void print_row(const Figure& figure, const std::string& text) {
  std::string name = figure.name;
  std::replace(name.begin(), name.end(), '_', ' ');
  name.resize(std::max<std::size_t>(name.size(), 30), ' ');
  std::cout << "  " << name << text << "\n";
}

}  // namespace apps
