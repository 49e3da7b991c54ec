// SPDX-License-Identifier: Apache-2.0
/// \file
/// UTF-8, character by character.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace weft {

namespace detail {

/// What the text of a replacement for undecodable bytes is, U+FFFD.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

/// A character at the front of a text.
struct Utf8Character {
  char32_t point = 0;
  std::size_t length = 0;  ///< bytes that it takes; of bytes that are no character, those that belong together
  bool valid = false;
};

/// How a first byte goes on: the bytes of its character, and which second bytes may follow (Unicode, table 3-7).
struct Utf8Lead {
  std::size_t length;
  unsigned char second_low;
  unsigned char second_high;
};

constexpr Utf8Lead utf8_lead(unsigned char lead) {
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

/// The first character of a text that is not empty. Bytes that are none count together as far as they could have become
/// one, which is where U+FFFD is customarily put once ("maximal subpart", Unicode 3.9).
constexpr Utf8Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1, true};
  const Utf8Lead lead = utf8_lead(byte(0));
  if (lead.length == 0) return {0xFFFD, 1, false};
  char32_t point = byte(0) & (0xFFU >> (lead.length + 1));
  for (std::size_t i = 1; i < lead.length; ++i) {
    const unsigned char low = i == 1 ? lead.second_low : 0x80;
    const unsigned char high = i == 1 ? lead.second_high : 0xBF;
    if (i >= text.size() || byte(i) < low || byte(i) > high) return {0xFFFD, i, false};
    point = point << 6 | (byte(i) & 0x3FU);
  }
  return {point, lead.length, true};
}

/// How many bytes at the front of a text are ASCII, counted up to eight.
inline std::size_t leading_ascii(std::string_view text) {
  std::uint64_t bytes = ~std::uint64_t{0};  // beyond the end there is none
  std::memcpy(&bytes, text.data(), std::min(text.size(), sizeof bytes));
  const std::uint64_t others = bytes & 0x8080808080808080U;
  const int bits = std::endian::native == std::endian::little ? std::countr_zero(others) : std::countl_zero(others);
  return static_cast<std::size_t>(bits) / 8;
}

}  // namespace detail

/// Where a text stops being UTF-8 (RFC 3629: shortest form only, no surrogates, at most U+10FFFF);
/// `std::string_view::npos` if it never does.
inline std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::string_view rest = text.substr(offset);
    const std::size_t ascii = detail::leading_ascii(rest);
    offset += ascii;
    if (ascii == 8 || ascii == rest.size()) continue;
    const detail::Utf8Character character = detail::first_character(rest.substr(ascii));
    if (!character.valid) return offset;
    offset += character.length;
  }
  return std::string_view::npos;
}

namespace detail {

/// Whether all of a text is UTF-8.
inline bool is_utf8(std::string_view text) { return find_invalid_utf8(text) == std::string_view::npos; }

/// The text with U+FFFD in the place of what is no UTF-8.
inline std::string replace_invalid_utf8(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const auto character = first_character(text);
    valid += character.valid ? text.substr(0, character.length) : kReplacementCharacter;
    text.remove_prefix(character.length);
  }
  return valid;
}

/// Appends a character.
inline void append_utf8(std::string& text, char32_t point) {
  const auto put = [&](char32_t bits) { text += static_cast<char>(static_cast<unsigned char>(bits)); };
  const auto put_rest = [&](int shift) { put(0x80U | (point >> shift & 0x3FU)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0U | point >> 6);
    put_rest(0);
  } else if (point < 0x10000) {
    put(0xE0U | point >> 12);
    put_rest(6);
    put_rest(0);
  } else {
    put(0xF0U | point >> 18);
    put_rest(12);
    put_rest(6);
    put_rest(0);
  }
}

/// How many bytes at the end are the beginning of a character whose rest may still come.
constexpr std::size_t unfinished_bytes(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const std::string_view end = text.substr(text.size() - back);
    const auto character = first_character(end);
    if (!character.valid && character.length == back && utf8_lead(static_cast<unsigned char>(end[0])).length > back) {
      return back;
    }
  }
  return 0;
}

/// White space, as Unicode's property of that name has it.
constexpr bool is_white_space(char32_t point) {
  return (point >= 0x9 && point <= 0xD) || point == 0x20 || point == 0x85 || point == 0xA0 || point == 0x1680 ||
         (point >= 0x2000 && point <= 0x200A) || point == 0x2028 || point == 0x2029 || point == 0x202F ||
         point == 0x205F || point == 0x3000;
}

}  // namespace detail

}  // namespace weft
