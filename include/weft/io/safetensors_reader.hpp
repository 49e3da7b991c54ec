// SPDX-License-Identifier: Apache-2.0
/// \file
/// Safetensors files, read strictly.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/autograd/any_parameter.hpp"
#include "weft/io/lfs_pointer.hpp"
#include "weft/io/mapped_file.hpp"
#include "weft/io/safetensors_rules.hpp"
#include "weft/tensor/tensor.hpp"

namespace weft {

/// A tensor where it lies in the file: row-major, little endian, not necessarily aligned.
struct SafetensorsTensor {
  std::string_view name;
  std::string_view dtype;  ///< as the format writes it: "F32", "BF16", ...
  std::span<const Index> shape;
  std::span<const std::byte> bytes;

  /// "F32 [2, 3]"
  std::string type_text() const { return concat(dtype, " ", detail::safetensors_shape_text(shape)); }
};

/// A safetensors file, mapped into memory. The constructor checks the whole header and refuses, with an Error that names
/// file, tensor and rule, whatever breaks a rule of the format:
///
/// - 8 bytes of header length, at most 100,000,000 and within the file; a header that starts with '{', is JSON in UTF-8
///   and padded with spaces only
/// - keys appear once; metadata are strings; a tensor has a dtype of the format, a shape and two offsets, nothing else
/// - begin <= end, and end - begin is the product of the shape times the element's size, multiplied without overflow
/// - the tensors cover the data from the first byte to the last, without hole or overlap
///
/// It agrees with the format's own reader (safetensors 0.8.0, compared on 6,081 good and damaged files) but for three
/// points that this one refuses: unknown keys of a tensor, a `__metadata__` that is null, and white space around the
/// header other than spaces behind it.
///
/// Memory grows with the bytes of the header, never with a number in it. Views stay valid as long as the file object.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path) : path_(path), mapping_(std::make_shared<MappedFile>(path)) {
    detail::expect_no_lfs_pointer(mapping_->bytes(), path);
    read(mapping_->bytes());
  }

  /// A file that is in memory already and stays there.
  /// \param where  what error messages call it
  SafetensorsFile(std::span<const std::byte> bytes, std::string where) : path_(std::move(where)) { read(bytes); }

  SafetensorsFile(SafetensorsFile&&) noexcept = default;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept = default;

  const std::string& path() const { return path_; }

  /// All tensors, by name.
  std::span<const SafetensorsTensor> tensors() const { return tensors_; }

  /// The names in order.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const SafetensorsTensor& tensor : tensors_) names.emplace_back(tensor.name);
    return names;
  }

  /// The strings that came with the tensors, without order or meaning to the format.
  const std::map<std::string, std::string>& metadata() const { return header_->metadata; }

  /// Whether there is a tensor of this name.
  bool contains(std::string_view name) const { return find(name) != nullptr; }

  /// Raises Error when there is no such tensor.
  const SafetensorsTensor& tensor(std::string_view name) const {
    const SafetensorsTensor* found = find(name);
    if (found == nullptr) fail(concat(path_, ": tensor ", detail::in_quotes(name), " is expected, but not there"));
    return *found;
  }

  /// Copies a tensor to `target` (a tensor, view or parameter of the same shape). The element types must be equal or one
  /// of these pairs:
  /// - exact: F32, BF16, F16 to double; BF16, F16 to float; I32 to std::int64_t
  /// - rounded to nearest: F64 to float; F64, F32, F16 to bf16 (through float)
  template <class Target>
  void load_into(Target&& target, std::string_view name) const {
    using Plain = std::remove_reference_t<Target>;
    using Element = typename Plain::Element;
    static_assert(!std::is_const_v<Element>, "load_into(target, name): the elements of target must not be const");
    const SafetensorsTensor& source = tensor(name);
    expect_shape(source, target.shape().extents());
    if constexpr (Plain::Device::host_accessible) {
      convert(source, target.data());
    } else {
      std::vector<Element> staged(static_cast<std::size_t>(target.shape().size()));
      convert(source, staged.data());
      Plain::Device::copy_to_device(target.data(), staged.data(), staged.size() * sizeof(Element));
    }
  }

  /// The same for a parameter of float, double or bf16.
  void load_parameter(const AnyParameter& target, std::string_view name) const {
    const SafetensorsTensor& source = tensor(name);
    expect_shape(source, target.extents());
    if (target.element() == element_name<float>) {
      convert_parameter<float>(source, target);
    } else if (target.element() == element_name<double>) {
      convert_parameter<double>(source, target);
    } else if (target.element() == element_name<bf16>) {
      convert_parameter<bf16>(source, target);
    } else {
      fail(concat(path_, ": tensor ", detail::in_quotes(name),
                  ": a parameter must have elements F32, F64 or BF16, found ", target.element()));
    }
  }

  /// Lets a parameter have its elements where the file has them, without a copy: they are read when they are touched, and what
  /// is written to them stays in memory. The parameter keeps the mapping alive. BF16 stays what it is for a parameter of
  /// float, see `Parameter::bf16_data`. Where the element types differ otherwise, the file's elements are not aligned, or the
  /// parameter is not the host's, the same as `load_parameter`.
  void map_parameter(const AnyParameter& target, std::string_view name) const {
    const SafetensorsTensor& source = tensor(name);
    expect_shape(source, target.extents());
    const auto address = reinterpret_cast<std::uintptr_t>(source.bytes.data());
    const std::size_t width = detail::find_safetensors_dtype(source.dtype)->bits / 8U;
    const bool mapped = mapping_ != nullptr && !source.bytes.empty() && address % width == 0;
    if (mapped && target.can_use_memory() && target.element() == source.dtype) {
      std::byte* const begin = mapping_->bytes().data();
      target.use_memory(begin + (source.bytes.data() - begin), mapping_);
    } else if (mapped && target.can_use_bf16() && source.dtype == element_name<bf16>) {
      target.use_bf16(reinterpret_cast<const bf16*>(source.bytes.data()), mapping_);
    } else {
      load_parameter(target, name);
    }
  }

  /// Raises Error when the file holds a tensor that is not among `known`: a checkpoint of another model.
  void expect_no_others(std::span<const std::string> known) const {
    std::vector<bool> expected(tensors_.size());
    for (const std::string& name : known) {
      const SafetensorsTensor* found = find(name);
      if (found != nullptr) expected[static_cast<std::size_t>(found - tensors_.data())] = true;
    }
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (expected[i]) continue;
      fail(concat(path_, ": tensor ", detail::in_quotes(tensors_[i].name), " of ", tensors_[i].type_text(),
                  " is not expected"));
    }
  }

 private:
  void read(std::span<const std::byte> file) {
    std::span<const std::byte> data;
    // On the heap, because the tensors point into it and the file may be moved.
    header_ = std::make_unique<detail::SafetensorsHeader>(detail::read_safetensors_header(file, path_, data));
    tensors_.reserve(header_->entries.size());
    for (const detail::SafetensorsEntry& entry : header_->entries) {
      const auto begin = static_cast<std::size_t>(entry.begin);
      const auto end = static_cast<std::size_t>(entry.end);
      tensors_.push_back({entry.name, entry.dtype->name,
                          std::span(header_->extents).subspan(entry.first_extent, entry.rank),
                          data.subspan(begin, end - begin)});
    }
  }

  const SafetensorsTensor* find(std::string_view name) const {
    const auto found =
        std::lower_bound(tensors_.begin(), tensors_.end(), name,
                         [](const SafetensorsTensor& tensor, std::string_view key) { return tensor.name < key; });
    return found != tensors_.end() && found->name == name ? &*found : nullptr;
  }

  void expect_shape(const SafetensorsTensor& source, std::span<const Index> expected) const {
    if (same_extents(source.shape, expected)) return;
    fail(concat(path_, ": tensor ", detail::in_quotes(source.name), ": the shapes must agree: expected ",
                detail::safetensors_shape_text(expected), ", found ", source.type_text()));
  }

  template <class Element>
  void convert(const SafetensorsTensor& source, Element* target) const {
    if (detail::convert_elements<Element>(source.dtype, source.bytes, target)) return;
    fail(concat(path_, ": tensor ", detail::in_quotes(source.name), ": the element types must agree: expected ",
                element_name<Element>, ", found ", source.dtype));
  }

  template <class Element>
  void convert_parameter(const SafetensorsTensor& source, const AnyParameter& target) const {
    if (target.host_accessible()) return convert(source, static_cast<Element*>(target.data()));
    std::vector<Element> staged(static_cast<std::size_t>(target.size()));
    convert(source, staged.data());
    target.copy_to_device()(target.data(), staged.data(), staged.size() * sizeof(Element));
  }

  std::string path_;
  std::shared_ptr<MappedFile> mapping_;  ///< null: the bytes are somebody else's
  std::unique_ptr<detail::SafetensorsHeader> header_;
  std::vector<SafetensorsTensor> tensors_;
};

}  // namespace weft
