// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the programs check of their command lines beyond CLI11's own validators.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "weft/tensor/error.hpp"

namespace apps {

/// A text that is not empty.
inline CLI::Validator some_text() {
  return {[](const std::string& text) { return std::string(text.empty() ? "must not be empty" : ""); }, ""};
}

/// A number from `least` to `most`, for `transform`; the list of options does not show it. A whole one is decimal: CLI11 would
/// take a leading zero for a number to the base 8, and is handed the digits without it.
template <class Number>
CLI::Validator between(Number least, Number most) {
  return {[least, most](std::string& text) {
            Number number{};
            const char* const end = text.data() + text.size();
            const auto [stop, error] = std::from_chars(text.data(), end, number);
            const bool valid = error == std::errc() && stop == end && number >= least && number <= most;  // no NaN is
            if (!valid) {
              const char* const kind = std::is_integral_v<Number> ? "whole number" : "number";
              return weft::concat("must be a ", kind, " from ", least, " to ", most, ", found ", text);
            }
            if constexpr (std::is_integral_v<Number>) text = std::to_string(number);
            return std::string();
          },
          ""};
}

/// A whole number of 64 bits; CLI11 itself takes a negative or larger one for some number that fits.
inline CLI::Validator seed() { return between<std::uint64_t>(0, std::numeric_limits<std::uint64_t>::max()); }

/// The names in "q_proj,v_proj"; one is empty where nothing stands beside a comma.
inline std::vector<std::string> names_in(const std::string& list) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    names.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

/// All names in such lists.
inline std::vector<std::string> names_in(const std::vector<std::string>& lists) {
  std::vector<std::string> all;
  for (const std::string& list : lists) {
    for (std::string& name : names_in(list)) all.push_back(std::move(name));
  }
  return all;
}

/// Such a list, for `check`. (CLI11's own delimiter makes no value of a comma alone, and takes the next word for one.)
inline CLI::Validator list_of_names() {
  return {[](const std::string& list) {
            const std::vector<std::string> names = names_in(list);
            const bool valid = std::find(names.begin(), names.end(), "") == names.end();
            return valid ? std::string() : "must be names with a comma between them, found " + list;
          },
          ""};
}

}  // namespace apps
