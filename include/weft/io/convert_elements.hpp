// SPDX-License-Identifier: Apache-2.0
/// \file
/// Floating-point elements of files from one type to another, each to the nearest value.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "weft/io/safetensors_dtype.hpp"

namespace weft::detail {

/// The nearest value of an element type, ties to even. From double to 16 bits there is no detour through a rounded float,
/// which could lie on a tie that the value does not: the float between is the one towards 0, made odd where it is not
/// exact (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE TC 57, 2008).
template <class Target>
Target nearest(double value) {
  if constexpr (sizeof(Target) >= sizeof(float)) {
    return static_cast<Target>(value);
  } else {
    auto between = static_cast<float>(value);
    if (std::isnan(value) || static_cast<double>(between) == value) return Target(between);
    auto bits = std::bit_cast<std::uint32_t>(between);
    if (std::abs(static_cast<double>(between)) > std::abs(value)) --bits;
    between = std::bit_cast<float>(bits | 1U);
    return Target(between);
  }
}

inline bool is_floating(std::string_view dtype) {
  return dtype == "F64" || dtype == "F32" || dtype == "BF16" || dtype == "F16";
}

/// Rounds elements of one type to the nearest of another. False where a finite one became infinite.
template <class Source, class Target>
bool convert_nearest(const std::byte* source, std::span<std::byte> target) {
  bool in_range = true;
  for (std::size_t i = 0; i < target.size() / sizeof(Target); ++i) {
    Source element;
    std::memcpy(&element, source + i * sizeof(Source), sizeof(Source));
    using Wide = std::conditional_t<std::is_same_v<Source, double>, double, float>;
    const Wide value = static_cast<Wide>(element);
    Target rounded;
    if constexpr (std::is_same_v<Wide, double>) {
      rounded = nearest<Target>(value);
    } else {
      rounded = static_cast<Target>(value);
    }
    in_range = in_range && (std::isfinite(static_cast<float>(rounded)) || !std::isfinite(value));
    std::memcpy(target.data() + i * sizeof(Target), &rounded, sizeof(Target));
  }
  return in_range;
}

template <class Target>
bool convert_nearest_to(std::string_view dtype, const std::byte* source, std::span<std::byte> target) {
  if (dtype == "F64") return convert_nearest<double, Target>(source, target);
  if (dtype == "BF16") return convert_nearest<bf16, Target>(source, target);
  if (dtype == "F16") return convert_nearest<Half, Target>(source, target);
  return convert_nearest<float, Target>(source, target);
}

inline bool convert_nearest(std::string_view from, std::string_view to, const std::byte* source,
                            std::span<std::byte> target) {
  if (to == "BF16") return convert_nearest_to<bf16>(from, source, target);
  if (to == "F16") return convert_nearest_to<Half>(from, source, target);
  return convert_nearest_to<float>(from, source, target);
}

}  // namespace weft::detail
