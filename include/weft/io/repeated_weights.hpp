// SPDX-License-Identifier: Apache-2.0
/// \file
/// Weights of a model that lie in a second file as well, perhaps rounded: whether they are the same ones.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "weft/autograd/any_parameter.hpp"
#include "weft/io/convert_elements.hpp"
#include "weft/io/safetensors_reader.hpp"
#include "weft/io/safetensors_writer.hpp"

namespace weft::detail {

/// The elements of a weight, of a floating-point type of the format.
struct StoredWeight {
  std::string_view dtype;
  std::vector<Index> shape;
  std::span<const std::byte> bytes;
};

inline StoredWeight stored_weight(const SafetensorsTensor& tensor) {
  return {tensor.dtype, {tensor.shape.begin(), tensor.shape.end()}, tensor.bytes};
}

/// \param copy  takes the elements of a parameter that the host cannot read, and must live as long as the result
inline StoredWeight stored_weight(const AnyParameter& parameter, std::vector<std::byte>& copy) {
  const std::string_view dtype = stored_dtype(parameter);
  const void* elements = dtype == parameter.element() ? parameter.values() : parameter.bf16_data();
  const std::size_t bytes = static_cast<std::size_t>(parameter.size()) * find_safetensors_dtype(dtype)->bits / 8U;
  if (!parameter.host_accessible()) {
    copy.resize(bytes);
    parameter.copy_to_host()(copy.data(), elements, bytes);
    elements = copy.data();
  }
  return {dtype, parameter.extents(), {static_cast<const std::byte*>(elements), bytes}};
}

/// Whether the elements of one weight, rounded to the type of the other, are those of the other.
inline bool rounds_to(const StoredWeight& from, const StoredWeight& to) {
  if (to.dtype == "F64") return from.dtype == to.dtype && std::ranges::equal(from.bytes, to.bytes);
  constexpr std::size_t most = 4096;
  const std::size_t from_width = find_safetensors_dtype(from.dtype)->bits / 8U;
  const std::size_t to_width = find_safetensors_dtype(to.dtype)->bits / 8U;
  const std::size_t count = to.bytes.size() / to_width;
  alignas(8) std::array<std::byte, most * sizeof(float)> rounded;
  for (std::size_t at = 0; at < count; at += most) {
    const std::span<std::byte> part = std::span(rounded).first(std::min(most, count - at) * to_width);
    convert_nearest(from.dtype, to.dtype, from.bytes.data() + at * from_width, part);
    if (std::memcmp(part.data(), to.bytes.data() + at * to_width, part.size()) != 0) return false;
  }
  return true;
}

/// Whether two weights are the same, or one is the other in a narrower type.
inline bool same_weight(const StoredWeight& a, const StoredWeight& b) {
  if (!is_floating(a.dtype) || !is_floating(b.dtype) || a.shape != b.shape) return false;
  return rounds_to(a, b) || rounds_to(b, a);
}

}  // namespace weft::detail
