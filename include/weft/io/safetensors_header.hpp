// SPDX-License-Identifier: Apache-2.0
/// \file
/// The header of a safetensors file as its JSON describes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/io/json_text.hpp"
#include "weft/io/safetensors_dtype.hpp"
#include "weft/tensor/error.hpp"

namespace weft::detail {

/// One tensor as the header describes it, not yet compared with anything. Extents lie in `SafetensorsHeader::extents`.
struct SafetensorsEntry {
  std::string name;
  const SafetensorsDtype* dtype = nullptr;
  std::size_t first_extent = 0;
  std::size_t rank = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  ///< by name
  std::vector<Index> extents;             ///< of all tensors, one after the other
  std::map<std::string, std::string> metadata;
};

/// Accepts exactly
///
///     {"__metadata__": {"key": "text", ...}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...}
///
/// and keeps no more than stands there: memory grows with the header's bytes, never with a number in it.
class SafetensorsHeaderReader {
 public:
  explicit SafetensorsHeaderReader(std::string_view where) : where_(where) {}

  SafetensorsHeader read(const Json& json) {
    for (const auto& [name, value] : expect<Json::Object>("the header", "an object", json)) {
      if (name == "__metadata__") {
        read_metadata(value);
      } else {
        context_ = concat("tensor ", in_quotes(name), ": ");
        read_tensor(name, value);
      }
      context_.clear();
    }
    return std::move(header_);
  }

 private:
  /// The value as one of the types of Json.
  template <class Value>
  const Value& expect(std::string_view what, std::string_view expected, const Json& json) const {
    const auto* value = json.get_if<Value>();
    if (value == nullptr) refuse(what, expected, json_excerpt(json));
    return *value;
  }

  [[noreturn]] void refuse(std::string_view what, std::string_view expected, std::string_view found) const {
    fail(concat(where_, ": ", context_, what, " must be ", expected, ", found ", found));
  }

  void read_metadata(const Json& json) {
    const auto& members = expect<Json::Object>("__metadata__", "an object", json);
    context_ = "__metadata__: ";
    for (const auto& [key, value] : members) {
      header_.metadata[key] = expect<std::string>(in_quotes(key), "a string", value);
    }
  }

  void read_tensor(const std::string& name, const Json& json) {
    const auto& members = expect<Json::Object>("it", "an object", json);
    for (const auto& [key, value] : members) {
      if (key == "dtype" || key == "shape" || key == "data_offsets") continue;
      refuse("every key", "dtype, shape or data_offsets", in_quotes(key));
    }
    const auto member = [&](const char* key) -> const Json& {
      const auto found = members.find(key);
      if (found == members.end()) refuse(key, "there", "none");
      return found->second;
    };
    SafetensorsEntry entry{.name = name};
    read_dtype(entry, member("dtype"));
    read_shape(entry, member("shape"));
    read_offsets(entry, member("data_offsets"));
    header_.entries.push_back(std::move(entry));
  }

  void read_dtype(SafetensorsEntry& entry, const Json& json) const {
    entry.dtype = find_safetensors_dtype(expect<std::string>("dtype", "a string", json));
    if (entry.dtype == nullptr) refuse("dtype", "a name of the format", json_excerpt(json));
  }

  void read_shape(SafetensorsEntry& entry, const Json& json) {
    entry.first_extent = header_.extents.size();
    for (const Json& element : expect<Json::Array>("shape", "an array", json)) {
      const std::uint64_t extent = natural("an extent", element);
      if (extent > static_cast<std::uint64_t>(std::numeric_limits<Index>::max())) {
        refuse("an extent", "below 2^63", json_excerpt(element));
      }
      header_.extents.push_back(static_cast<Index>(extent));
      ++entry.rank;
    }
  }

  void read_offsets(SafetensorsEntry& entry, const Json& json) const {
    const auto& offsets = expect<Json::Array>("data_offsets", "an array", json);
    if (offsets.size() != 2) refuse("data_offsets", "two numbers", json_excerpt(json));
    entry.begin = natural("an offset", offsets[0]);
    entry.end = natural("an offset", offsets[1]);
  }

  std::uint64_t natural(std::string_view what, const Json& json) const {
    return expect<std::uint64_t>(what, "a whole number from 0 to 2^64 - 1", json);
  }

  std::string_view where_;
  std::string context_;
  SafetensorsHeader header_;
};

}  // namespace weft::detail
