// SPDX-License-Identifier: Apache-2.0
/// \file
/// The element types of the safetensors format, and their conversion to those of tensors.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "weft/tensor/types.hpp"

namespace weft::detail {

static_assert(std::endian::native == std::endian::little,
              "safetensors files are little endian, and are used as they lie");

struct SafetensorsDtype {
  std::string_view name;
  int bits;
};

/// Every element type of the format (safetensors/src/tensor.rs). Some are smaller than a byte.
inline constexpr std::array<SafetensorsDtype, 20> safetensors_dtypes{{
    {"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},   {"I8", 8},    {"F8_E5M2", 8},
    {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16}, {"BF16", 16}, {"I32", 32},
    {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},    {"I64", 64}, {"U64", 64},
}};

/// Null for a name that the format does not have.
constexpr const SafetensorsDtype* find_safetensors_dtype(std::string_view name) {
  for (const SafetensorsDtype& dtype : safetensors_dtypes) {
    if (dtype.name == name) return &dtype;
  }
  return nullptr;
}

/// IEEE 754 half precision, storage only.
struct Half {
  std::uint16_t bits;

  Half() = default;

  /// Rounds to nearest, ties to even; what rounds beyond 65504 is infinite, a NaN stays a (quiet) NaN.
  explicit Half(float value) {
    const auto all = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>(all >> 16 & 0x8000U);
    const std::uint32_t magnitude = all & 0x7FFFFFFFU;
    std::uint32_t rounded = 0;
    if (magnitude > 0x7F800000U) {
      rounded = 0x7E00U | (magnitude >> 13 & 0x3FFU);
    } else if (magnitude >=
               0x38800000U) {  // normal halves, from 2^-14 on: a carry out of the fraction is the next exponent
      const std::uint32_t rebiased = magnitude - (112U << 23);
      rounded = std::min<std::uint32_t>((rebiased + 0xFFFU + (rebiased >> 13 & 1U)) >> 13, 0x7C00U);
    } else {  // multiples of 2^-24, the distance of floats at 0.5: the addition rounds
      rounded = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3F000000U;
    }
    bits = static_cast<std::uint16_t>(sign | rounded);
  }

  /// Exact: exponents move from bias 15 to 127; subnormal halves, multiples of 2^-24, are normal floats.
  explicit operator float() const {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
    const std::uint32_t exponent = (bits >> 10) & 31U;
    const std::uint32_t fraction = bits & 0x3FFU;
    if (exponent == 0) {
      const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
      return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
    }
    const std::uint32_t new_exponent = exponent == 31 ? 255 : exponent + 112;
    return std::bit_cast<float>(sign | new_exponent << 23 | fraction << 13);
  }
};

/// Copies elements out of a file, which need not be aligned there.
template <class Source, class Target>
void convert_elements(std::span<const std::byte> bytes, Target* target) {
  if constexpr (std::is_same_v<Source, Target>) {
    if (!bytes.empty()) std::memcpy(target, bytes.data(), bytes.size());
  } else {
    // Through float where one side is only storage; every other pair converts directly.
    using Through = std::conditional_t<std::is_arithmetic_v<Source> && std::is_arithmetic_v<Target>, Source, float>;
    const std::size_t count = bytes.size() / sizeof(Source);
    for (std::size_t i = 0; i < count; ++i) {
      Source element;
      std::memcpy(&element, bytes.data() + i * sizeof(Source), sizeof(Source));
      target[i] = static_cast<Target>(static_cast<Through>(element));
    }
  }
}

/// Converts if the pair of types is one of those that `SafetensorsFile::load_into` documents.
template <class Target>
bool convert_elements(std::string_view dtype, std::span<const std::byte> bytes, Target* target) {
  const auto from = [&]<class Source>(Source) {
    convert_elements<Source>(bytes, target);
    return true;
  };
  if (dtype == element_name<Target>) return from(Target{});
  if constexpr (std::is_same_v<Target, std::int64_t>) {
    if (dtype == "I32") return from(std::int32_t{});
  } else if constexpr (!std::is_same_v<Target, std::int32_t>) {
    if (dtype == "F32") return from(float{});
    if (dtype == "BF16") return from(bf16{});
    if (dtype == "F16") return from(Half{});
    if (dtype == "F64") return from(double{});
  }
  return false;
}

}  // namespace weft::detail
