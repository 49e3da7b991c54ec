// SPDX-License-Identifier: Apache-2.0
/// \file
/// Element types: `Index`, `bf16` storage, and the name each type has in files and messages.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weft {

/// Every extent, stride and count.
using Index = std::int64_t;

/// Brain floating point, storage only: the upper half of a `float`. Arithmetic happens in `float`.
class bf16 {
 public:
  bf16() = default;

  /// Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
  explicit bf16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    bits_ = std::isnan(value) ? static_cast<std::uint16_t>((bits >> 16) | 0x40U)
                              : static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
  }

  /// Exact.
  operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits_) << 16); }

  static bf16 from_bits(std::uint16_t bits) {
    bf16 value;
    value.bits_ = bits;
    return value;
  }
  std::uint16_t bits() const { return bits_; }

 private:
  std::uint16_t bits_ = 0;
};

/// The name of an element type as safetensors writes it: "F32", "F64", "BF16", "I32", "I64".
template <class T>
inline constexpr std::string_view element_name = [] {
  static_assert(sizeof(T) == 0, "element_name<T>: T must be float, double, bf16, std::int32_t or std::int64_t");
  return "";
}();
template <>
inline constexpr std::string_view element_name<float> = "F32";
template <>
inline constexpr std::string_view element_name<double> = "F64";
template <>
inline constexpr std::string_view element_name<bf16> = "BF16";
template <>
inline constexpr std::string_view element_name<std::int32_t> = "I32";
template <>
inline constexpr std::string_view element_name<std::int64_t> = "I64";

}  // namespace weft
