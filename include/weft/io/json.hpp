// SPDX-License-Identifier: Apache-2.0
/// \file
/// A JSON value in memory.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weft::detail {

/// What a JSON text says. Members of an object are sorted by their names. A whole number is a `std::uint64_t`, a
/// negative one a `std::int64_t`, so that equal numbers are equal values; every other number is a `double`.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;

  Json() = default;
  Json(std::nullptr_t) {}
  Json(std::same_as<bool> auto truth) : value_(truth) {}
  template <std::integral Int>
  requires(!std::same_as<Int, bool>) Json(Int number) {
    if (std::cmp_less(number, 0)) {
      value_ = static_cast<std::int64_t>(number);
    } else {
      value_ = static_cast<std::uint64_t>(number);
    }
  }
  Json(double number) : value_(number) {}
  Json(std::string text) : value_(std::move(text)) {}
  Json(std::string_view text) : Json(std::string(text)) {}
  Json(const char* text) : Json(std::string(text)) {}
  Json(Array elements) : value_(std::move(elements)) {}
  Json(Object members) : value_(std::move(members)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }

  /// The value as a `bool`, `std::uint64_t`, `std::int64_t`, `double`, `std::string`, `Array` or `Object`, if it is one;
  /// null otherwise.
  template <class Value>
  const Value* get_if() const {
    return std::get_if<Value>(&value_);
  }
  template <class Value>
  Value* get_if() {
    return std::get_if<Value>(&value_);
  }

  /// The member of this name; null where there is none, or where this is no object.
  const Json* find(std::string_view name) const {
    const auto* members = get_if<Object>();
    if (members == nullptr) return nullptr;
    const auto member = members->find(name);
    return member == members->end() ? nullptr : &member->second;
  }
  Json* find(std::string_view name) { return const_cast<Json*>(std::as_const(*this).find(name)); }

  friend bool operator==(const Json& a, const Json& b) { return a.value_ == b.value_; }

 private:
  std::variant<std::monostate, bool, std::uint64_t, std::int64_t, double, std::string, Array, Object> value_;
};

}  // namespace weft::detail
