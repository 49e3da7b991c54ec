// SPDX-License-Identifier: Apache-2.0
/// \file
/// A choice that need not be made.
#pragma once

#include <optional>

namespace weft {

/// A value, or none: what one can do with it is as with a `std::optional`. It is none, because a configuration has a type of
/// its own for nearly every switch, and fifteen types of std::optional are a fiftieth of what compiling a program takes.
template <class Value>
class Switch {
 public:
  constexpr Switch() = default;
  constexpr Switch(std::nullopt_t) {}
  constexpr Switch(Value value) : value_(value), set_(true) {}

  constexpr bool has_value() const { return set_; }
  constexpr explicit operator bool() const { return set_; }

  /// What it is set to; only where it is.
  constexpr const Value& operator*() const { return value_; }
  constexpr Value& operator*() { return value_; }
  constexpr Value value_or(Value other) const { return set_ ? value_ : other; }

  constexpr void reset() { *this = Switch(); }

  constexpr bool operator==(const Switch&) const = default;

 private:
  Value value_{};
  bool set_ = false;
};

}  // namespace weft
