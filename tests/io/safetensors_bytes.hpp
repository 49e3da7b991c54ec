// SPDX-License-Identifier: Apache-2.0
/// \file
/// Safetensors files made by hand, good and bad.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "weft/io/safetensors_reader.hpp"

namespace weft::testing {

inline std::string little_endian(std::uint64_t number) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xFFU);
  return bytes;
}

/// A file with this header, in front of data that count 0, 1, 2, ...
inline std::string safetensors_bytes(std::string_view header, std::size_t data_bytes) {
  std::string bytes = little_endian(header.size()) + std::string(header);
  for (std::size_t i = 0; i < data_bytes; ++i) bytes += static_cast<char>(i & 0xFFU);
  return bytes;
}

/// `{"name": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}` without the outer braces.
inline std::string tensor_json(std::string_view name, std::string_view dtype, std::string_view shape,
                               std::string_view offsets) {
  return concat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":[", shape, "],\"data_offsets\":[", offsets, "]}");
}

/// Reads a file from memory, and every byte of every tensor.
inline std::uint64_t read_everything(std::string_view bytes) {
  const SafetensorsFile file(std::as_bytes(std::span(bytes)), "test.safetensors");
  std::uint64_t sum = 0;
  for (const SafetensorsTensor& tensor : file.tensors()) {
    for (const std::byte byte : tensor.bytes) sum += std::to_integer<std::uint64_t>(byte);
    for (const Index extent : tensor.shape) sum += static_cast<std::uint64_t>(extent);
  }
  return sum;
}

/// What the reader says about a file; empty if it accepts it.
inline std::string refusal(std::string_view bytes) {
  try {
    read_everything(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace weft::testing
