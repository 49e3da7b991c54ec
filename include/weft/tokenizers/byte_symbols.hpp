// SPDX-License-Identifier: Apache-2.0
/// \file
/// The printable characters that stand for bytes in byte-level vocabularies (GPT-2).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "weft/tensor/utf8.hpp"

namespace weft::detail {

/// Whether a byte is its own symbol: 33..126, 161..172, 174..255.
constexpr bool is_own_symbol(unsigned byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/// The symbol of each byte: itself, or the next character from 256 on.
constexpr std::array<char32_t, 256> make_byte_symbols() {
  std::array<char32_t, 256> symbols{};
  char32_t next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) symbols[byte] = is_own_symbol(byte) ? byte : next++;
  return symbols;
}
inline constexpr std::array<char32_t, 256> kByteSymbols = make_byte_symbols();

/// The byte of each symbol, -1 for characters that are none.
constexpr std::array<std::int16_t, 324> make_symbol_bytes() {
  std::array<std::int16_t, 324> bytes{};
  bytes.fill(-1);
  for (unsigned byte = 0; byte < 256; ++byte) bytes[kByteSymbols[byte]] = static_cast<std::int16_t>(byte);
  return bytes;
}
inline constexpr std::array<std::int16_t, 324> kSymbolBytes = make_symbol_bytes();

/// The symbol of a byte as text.
inline std::string byte_symbol(unsigned char byte) {
  std::string symbol;
  append_utf8(symbol, kByteSymbols[byte]);
  return symbol;
}

/// The bytes that a token of symbols stands for; the token itself where one of its characters is no symbol.
inline std::string bytes_of_symbols(std::string_view token) {
  std::string bytes;
  for (std::string_view rest = token; !rest.empty();) {
    const auto character = first_character(rest);
    const int byte = character.point < kSymbolBytes.size() ? kSymbolBytes[character.point] : -1;
    if (byte < 0) return std::string(token);
    bytes += static_cast<char>(static_cast<unsigned char>(byte));
    rest.remove_prefix(character.length);
  }
  return bytes;
}

}  // namespace weft::detail
