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

#include "weft/io/json_reader.hpp"
#include "weft/io/safetensors_dtype.hpp"

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
  std::vector<SafetensorsEntry> entries;  ///< in the order of the JSON
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
  SafetensorsHeaderReader(std::string_view json, std::string_view where) : json_(json, where) {}

  SafetensorsHeader read() {
    bool seen_metadata = false;
    json_.object("the header", [&](const std::string& name) {
      if (name == "__metadata__") {
        once(seen_metadata, name);
        read_metadata();
      } else {
        json_.set_context(concat("tensor ", in_quotes(name), ": "));
        read_tensor(name);
      }
      json_.set_context("");
    });
    json_.finish();
    return std::move(header_);
  }

 private:
  void once(bool& seen, std::string_view key) {
    if (seen) json_.refuse(in_quotes(key), "there once", "it twice");
    seen = true;
  }

  void read_metadata() {
    json_.object("__metadata__", [&](const std::string& key) {
      json_.set_context("__metadata__: ");
      bool seen = header_.metadata.contains(key);
      once(seen, key);
      header_.metadata[key] = json_.string(key);
    });
  }

  void read_tensor(const std::string& name) {
    SafetensorsEntry entry{.name = name};
    bool seen_dtype = false;
    bool seen_shape = false;
    bool seen_offsets = false;
    json_.object("it", [&](const std::string& key) {
      if (key == "dtype") {
        once(seen_dtype, key);
        read_dtype(entry);
      } else if (key == "shape") {
        once(seen_shape, key);
        read_shape(entry);
      } else if (key == "data_offsets") {
        once(seen_offsets, key);
        read_offsets(entry);
      } else {
        json_.refuse("every key", "dtype, shape or data_offsets", in_quotes(key));
      }
    });
    if (!seen_dtype) json_.refuse("dtype", "there", "none");
    if (!seen_shape) json_.refuse("shape", "there", "none");
    if (!seen_offsets) json_.refuse("data_offsets", "there", "none");
    header_.entries.push_back(std::move(entry));
  }

  void read_dtype(SafetensorsEntry& entry) {
    const std::string name = json_.string("dtype");
    entry.dtype = find_safetensors_dtype(name);
    if (entry.dtype == nullptr) json_.refuse("dtype", "a name of the format", in_quotes(name));
  }

  void read_shape(SafetensorsEntry& entry) {
    entry.first_extent = header_.extents.size();
    json_.array("shape", [&] {
      const std::uint64_t extent = json_.natural("an extent");
      if (extent > static_cast<std::uint64_t>(std::numeric_limits<Index>::max())) {
        json_.refuse("an extent", "below 2^63", std::to_string(extent));
      }
      header_.extents.push_back(static_cast<Index>(extent));
      ++entry.rank;
    });
  }

  void read_offsets(SafetensorsEntry& entry) {
    std::size_t count = 0;
    json_.array("data_offsets", [&] {
      const std::uint64_t offset = json_.natural("an offset");
      if (++count > 2) json_.refuse("data_offsets", "two numbers", "more");
      (count == 1 ? entry.begin : entry.end) = offset;
    });
    if (count < 2) json_.refuse("data_offsets", "two numbers", std::to_string(count));
  }

  JsonReader json_;
  SafetensorsHeader header_;
};

}  // namespace weft::detail
