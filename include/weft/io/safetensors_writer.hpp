// SPDX-License-Identifier: Apache-2.0
/// \file
/// Safetensors files, written whole or not at all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "weft/autograd/any_parameter.hpp"
#include "weft/io/atomic_file.hpp"
#include "weft/io/safetensors_rules.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

namespace detail {

/// The element type under which a parameter is written.
inline std::string_view stored_dtype(const AnyParameter& parameter) {
  return parameter.bf16_data() != nullptr ? element_name<bf16> : parameter.element();
}

}  // namespace detail

/// Collects tensors by reference and streams them to a file:
///
///     SafetensorsWriter writer;
///     for_each_parameter(model, [&](const ParameterName& name, const auto& p) { writer.add(name.name, p); });
///     writer.write("model.safetensors");
///
/// The same tensors give the same bytes, whatever the order of `add`: the widest elements come first, so that each
/// tensor is aligned to its elements, and equal widths by name, as the format's own writer sorts them.
class SafetensorsWriter {
 public:
  /// \param metadata  strings that go with the tensors
  explicit SafetensorsWriter(std::map<std::string, std::string> metadata = {}) : metadata_(std::move(metadata)) {}

  /// Adds a tensor, view or parameter, whose elements must stay where they are until `write`.
  template <class Source>
  void add(std::string name, const Source& source) {
    using Element = std::remove_const_t<typename Source::Element>;
    const auto extents = source.shape().extents();
    Entry entry{std::move(name), element_name<Element>, sizeof(Element), {extents.begin(), extents.end()}};
    entry.data = reinterpret_cast<const std::byte*>(source.data());
    entry.bytes = static_cast<std::size_t>(source.shape().size()) * sizeof(Element);
    if constexpr (!Source::Device::host_accessible) entry.fill = copied(entry.data, Source::Device::copy_to_host);
    entries_.push_back(std::move(entry));
  }

  /// The same for a parameter of any type, which must outlive the `write`; as bf16 where that is what it has.
  void add_parameter(std::string name, const AnyParameter& parameter) {
    const std::string_view dtype = detail::stored_dtype(parameter);
    Entry entry{std::move(name), dtype, detail::find_safetensors_dtype(dtype)->bits / 8U, parameter.extents()};
    const void* const elements = dtype == parameter.element() ? parameter.values() : parameter.bf16_data();
    entry.data = static_cast<const std::byte*>(elements);
    entry.bytes = static_cast<std::size_t>(parameter.size()) * entry.width;
    if (!parameter.host_accessible()) entry.fill = copied(entry.data, parameter.copy_to_host());
    entries_.push_back(std::move(entry));
  }

  /// Writes the bytes of a tensor, from `offset` on, to the memory that it is given.
  using Fill = std::function<void(std::size_t offset, std::span<std::byte> bytes)>;

  /// Adds a tensor whose elements are made while they are written: `fill` is asked for all of them once and in order, for at
  /// most a mebibyte at a time. Memory for one such piece is all that it takes.
  /// \param dtype  a name of the format
  void add_computed(std::string name, std::string_view dtype, std::vector<Index> shape, Fill fill) {
    const detail::SafetensorsDtype* type = detail::find_safetensors_dtype(dtype);
    if (type == nullptr) {
      fail(concat("SafetensorsWriter: tensor ", detail::in_quotes(name), ": no element type is called ",
                  detail::in_quotes(dtype)));
    }
    const auto bits = static_cast<std::size_t>(type->bits);
    Entry entry{std::move(name), type->name, bits / 8, std::move(shape)};
    std::size_t elements = 1;
    for (const Index extent : entry.shape) elements *= static_cast<std::size_t>(extent);
    entry.bytes = elements * bits / 8;
    entry.fill = std::move(fill);
    entries_.push_back(std::move(entry));
  }

  /// Replaces `path` by a file of all tensors added; see AtomicFile for what happens when that fails. Raises Error
  /// also for a name that appears twice or is no UTF-8.
  void write(const std::string& path) {
    const std::vector<detail::SortedTensor> sorted = sorted_entries();
    const std::string header = header_text(path, sorted);
    AtomicFile file(path);
    write_length(file, header.size());
    file.write(header);
    for (const detail::SortedTensor& tensor : sorted) write_elements(file, entries_[tensor.index]);
    file.commit();
  }

 private:
  struct Entry {
    std::string name;
    std::string_view dtype;
    std::size_t width;
    std::vector<Index> shape;
    const std::byte* data = nullptr;
    std::size_t bytes = 0;
    Fill fill = nullptr;  ///< null: the bytes are at `data`
  };

  static Fill copied(const std::byte* data, AnyParameter::Copy copy_to_host) {
    return [=](std::size_t offset, std::span<std::byte> bytes) {
      copy_to_host(bytes.data(), data + offset, bytes.size());
    };
  }

  std::vector<detail::SortedTensor> sorted_entries() const {
    std::vector<detail::SortedTensor> sorted;
    for (const Entry& entry : entries_) {
      const auto widest_first = ~std::uint64_t{entry.width};
      sorted.push_back({widest_first, 0, entry.name, sorted.size()});
    }
    detail::sort_tensors(sorted);
    return sorted;
  }

  std::string header_text(const std::string& path, const std::vector<detail::SortedTensor>& sorted) const {
    const std::string where = concat("cannot write ", path);
    detail::Json::Object header;
    if (!metadata_.empty()) {
      detail::Json::Object metadata;
      for (const auto& [key, text] : metadata_) metadata[key] = text;
      header["__metadata__"] = std::move(metadata);
    }
    std::size_t begin = 0;
    for (const detail::SortedTensor& tensor : sorted) {
      const Entry& entry = entries_[tensor.index];
      const std::size_t end = begin + entry.bytes;
      detail::Json& json = header[entry.name];
      if (!json.is_null())
        fail(concat(where, ": tensor ", detail::in_quotes(entry.name), ": its name must not appear twice"));
      detail::Json::Array shape;
      for (const Index extent : entry.shape) shape.push_back(extent);
      detail::Json::Object description;
      description["dtype"] = entry.dtype;
      description["shape"] = std::move(shape);
      description["data_offsets"] = detail::Json::Array{begin, end};
      json = std::move(description);
      begin = end;
    }
    const detail::Json json(std::move(header));
    std::string text = detail::json_text(json);
    check(text, json, where);
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
  }

  /// What the reader would refuse, or read otherwise, is not written.
  static void check(std::string_view text, const detail::Json& header, std::string_view where) {
    if (text.size() > detail::longest_safetensors_header) {
      fail(concat(where, ": the header must be at most ", detail::longest_safetensors_header, " bytes long, found ",
                  text.size()));
    }
    const detail::Json again = detail::parse_json(text, where);
    if (!(again == header)) fail(concat(where, ": names and metadata must be UTF-8"));
    detail::SafetensorsHeaderReader(where).read(again);
  }

  static void write_length(AtomicFile& file, std::uint64_t length) {
    std::byte bytes[detail::safetensors_length_bytes];
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(length & 0xFFU);
      length >>= 8U;
    }
    file.write(bytes);
  }

  static void write_elements(AtomicFile& file, const Entry& entry) {
    if (entry.fill == nullptr) {
      file.write({entry.data, entry.bytes});
      return;
    }
    constexpr std::size_t chunk = std::size_t{1} << 20U;
    std::vector<std::byte> staged(std::min(chunk, entry.bytes));
    for (std::size_t done = 0; done < entry.bytes; done += chunk) {
      const std::size_t count = std::min(chunk, entry.bytes - done);
      entry.fill(done, {staged.data(), count});
      file.write({staged.data(), count});
    }
  }

  std::map<std::string, std::string> metadata_;
  std::vector<Entry> entries_;
};

}  // namespace weft
