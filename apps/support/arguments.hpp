// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the programs check of their command lines beyond CLI11's own validators.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

#include <CLI/CLI.hpp>

namespace apps {

/// A text that is not empty.
inline CLI::Validator some_text() {
  return {[](const std::string& text) { return std::string(text.empty() ? "must not be empty" : ""); }, ""};
}

/// A number between two others, which the list of options does not show.
template <class Number>
CLI::Validator between(Number least, Number most) {
  return CLI::Range(least, most).description("");
}

/// A whole number of 64 bits; CLI11 itself takes a negative or larger one for some number that fits.
inline CLI::Validator seed() {
  return {[](const std::string& text) {
            std::uint64_t number = 0;
            const char* const end = text.data() + text.size();
            const auto [stop, error] = std::from_chars(text.data(), end, number);
            const bool valid = error == std::errc() && stop == end;
            return valid ? std::string() : "must be a whole number from 0 to 18446744073709551615, found " + text;
          },
          ""};
}

}  // namespace apps
