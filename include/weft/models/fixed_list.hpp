// SPDX-License-Identifier: Apache-2.0
/// \file
/// A short list as a constant: configurations are constant expressions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>

#include "weft/tensor/error.hpp"

namespace weft {

/// Up to `Capacity` values in order.
template <class Value, std::size_t Capacity>
class FixedList {
 public:
  using value_type = Value;
  static constexpr std::size_t capacity = Capacity;

  constexpr FixedList() = default;

  /// Raises Error beyond `Capacity` values.
  constexpr FixedList(std::initializer_list<Value> values) {
    for (const Value& value : values) push_back(value);
  }

  /// Raises Error beyond `Capacity` values.
  constexpr void push_back(const Value& value) {
    if (size_ == Capacity) fail(concat("FixedList: at most ", Capacity, " values, found one more"));
    values_[size_++] = value;
  }

  constexpr bool contains(const Value& value) const { return std::find(begin(), end(), value) != end(); }
  constexpr bool empty() const { return size_ == 0; }
  constexpr std::size_t size() const { return size_; }
  constexpr const Value* begin() const { return values_.data(); }
  constexpr const Value* end() const { return values_.data() + size_; }
  constexpr const Value& operator[](std::size_t index) const { return values_[index]; }
  constexpr bool operator==(const FixedList&) const = default;

 private:
  std::array<Value, Capacity> values_{};
  std::size_t size_ = 0;
};

}  // namespace weft
