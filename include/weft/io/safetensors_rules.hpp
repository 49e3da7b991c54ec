// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rules of the safetensors format: every number of a header is compared with the file before it is used.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/io/safetensors_header.hpp"
#include "weft/io/strict_json.hpp"

namespace weft::detail {

/// The longest header that the format allows, in bytes.
inline constexpr std::uint64_t longest_safetensors_header = 100'000'000;

/// The bytes before the header: its length, little endian.
inline constexpr std::size_t safetensors_length_bytes = 8;

/// product *= factor, unless the result is no 64-bit number. What a file says is multiplied nowhere else, and added
/// nowhere.
inline bool multiply_checked(std::uint64_t& product, std::uint64_t factor) {
  if (factor != 0 && product > std::numeric_limits<std::uint64_t>::max() / factor) return false;
  product *= factor;
  return true;
}

/// A file in its two parts.
struct SafetensorsParts {
  std::string_view header;          ///< JSON, without the padding behind it
  std::span<const std::byte> data;  ///< what the offsets count from
};

/// Splits a file by the length at its beginning.
inline SafetensorsParts split_safetensors(std::span<const std::byte> file, std::string_view where) {
  if (file.size() < safetensors_length_bytes) {
    fail(concat(where, ": a safetensors file begins with 8 bytes, found ", file.size()));
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < safetensors_length_bytes; ++i) {
    length |= std::to_integer<std::uint64_t>(file[i]) << (8 * i);
  }
  if (length > longest_safetensors_header) {
    fail(concat(where, ": the header must be at most ", longest_safetensors_header, " bytes long, found ", length));
  }
  const auto rest = file.subspan(safetensors_length_bytes);
  if (length > rest.size()) {
    fail(concat(where, ": the header must end within the file: expected ", length, " bytes, found ", rest.size()));
  }
  const auto header_bytes = static_cast<std::size_t>(length);
  std::string_view text(reinterpret_cast<const char*>(rest.data()), header_bytes);
  if (text.empty() || text.front() != '{') fail(concat(where, ": the header must start with '{'"));
  text = text.substr(0, text.find_last_not_of(' ') + 1);
  if (text.back() != '}') fail(concat(where, ": the header must end with '}', followed by nothing but spaces"));
  return {text, rest.subspan(header_bytes)};
}

/// "[2, 3]", cut where it is long.
inline std::string safetensors_shape_text(std::span<const Index> shape) {
  constexpr std::size_t longest = 16;
  std::string text = "[";
  for (std::size_t axis = 0; axis < std::min(shape.size(), longest); ++axis) {
    text += concat(axis == 0 ? "" : ", ", shape[axis]);
  }
  return text + (shape.size() > longest ? ", ...]" : "]");
}

/// end - begin must be the product of the shape times the size of an element.
inline void check_safetensors_size(const SafetensorsEntry& entry, std::span<const Index> shape,
                                   std::string_view where) {
  const auto refuse = [&](const auto&... what) {
    fail(concat(where, ": tensor ", in_quotes(entry.name), " of ", entry.dtype->name, " ",
                safetensors_shape_text(shape), ": ", what...));
  };
  if (entry.begin > entry.end) {
    refuse("data_offsets must not go backwards, found [", entry.begin, ", ", entry.end, "]");
  }
  std::uint64_t bits = 1;
  bool fits = true;
  for (const Index extent : shape) fits = fits && multiply_checked(bits, static_cast<std::uint64_t>(extent));
  fits = fits && multiply_checked(bits, static_cast<std::uint64_t>(entry.dtype->bits));
  if (!fits) refuse("the product of the shape times the size of an element must be a 64-bit number");
  if (bits % 8 != 0) refuse("the elements must fill whole bytes, found ", bits, " bits");
  if (entry.end - entry.begin != bits / 8) {
    refuse("data_offsets must span its size: expected ", bits / 8, " bytes, found ", entry.end - entry.begin);
  }
}

/// A tensor in an order: by two numbers, then by its name. One type for every order, so that its sort is compiled once.
struct SortedTensor {
  std::uint64_t first;
  std::uint64_t second;
  std::string_view name;
  std::size_t index;  ///< in the list that it comes from

  bool operator<(const SortedTensor& other) const {
    if (first != other.first) return first < other.first;
    if (second != other.second) return second < other.second;
    return name < other.name;
  }
};

/// A heap sort, because std::sort is several times as much code.
inline void sort_tensors(std::vector<SortedTensor>& tensors) {
  std::make_heap(tensors.begin(), tensors.end());
  std::sort_heap(tensors.begin(), tensors.end());
}

/// In the order of their offsets, the tensors must cover the data without hole, overlap or remainder.
inline void check_safetensors_coverage(std::span<const SafetensorsEntry> entries, std::uint64_t data_bytes,
                                       std::string_view where) {
  std::vector<SortedTensor> sorted;
  for (const SafetensorsEntry& entry : entries) sorted.push_back({entry.begin, entry.end, entry.name, sorted.size()});
  sort_tensors(sorted);
  std::uint64_t end = 0;
  for (const auto& [begin, next, name, index] : sorted) {
    if (begin != end) {
      fail(concat(where, ": tensor ", in_quotes(name), ": data_offsets must leave no hole and not overlap: expected ",
                  "to begin at ", end, ", found ", begin));
    }
    end = next;
  }
  if (end != data_bytes) {
    fail(concat(where, ": the tensors must end with the file: expected ", end, " bytes of data, found ", data_bytes));
  }
}

/// Reads the header of a file and checks every rule of the format; `data` becomes the part that the offsets count from.
/// Raises Error with the file, the tensor and the rule. Offsets of a file that passes can be used without further care.
inline SafetensorsHeader read_safetensors_header(std::span<const std::byte> file, std::string_view where,
                                                 std::span<const std::byte>& data) {
  const SafetensorsParts parts = split_safetensors(file, where);
  SafetensorsHeader header = SafetensorsHeaderReader(where).read(parse_json(parts.header, where));
  for (const SafetensorsEntry& entry : header.entries) {
    check_safetensors_size(entry, std::span(header.extents).subspan(entry.first_extent, entry.rank), where);
  }
  check_safetensors_coverage(header.entries, parts.data.size(), where);
  data = parts.data;
  return header;
}

}  // namespace weft::detail
