// SPDX-License-Identifier: Apache-2.0
/// \file
/// A JSON value in memory.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "weft/io/json_list.hpp"

namespace weft::detail {

/// What a JSON text says. Members of an object are sorted by their names. A whole number is a `std::uint64_t`, a
/// negative one a `std::int64_t`, so that equal numbers are equal values; every other number is a `double`.
///
/// (Not a `std::variant`: for eight alternatives that is a tenth of all functions of a program.)
class Json {
 public:
  using Array = JsonList<Json>;
  using Object = std::map<std::string, Json, std::less<>>;

  Json() = default;
  Json(std::nullptr_t) {}
  Json(std::same_as<bool> auto truth) : kind_(Kind::truth) { number_.truth = truth; }
  template <std::integral Int>
  requires(!std::same_as<Int, bool>) Json(Int number)
      : kind_(std::cmp_less(number, 0) ? Kind::integer : Kind::natural) {
    number_.natural = static_cast<std::uint64_t>(number);
  }
  Json(double number) : kind_(Kind::real) { number_.real = number; }
  Json(std::string text) : kind_(Kind::text), contents_(new Contents) { contents_->text = std::move(text); }
  Json(std::string_view text) : Json(std::string(text)) {}
  Json(const char* text) : Json(std::string(text)) {}
  Json(Array elements) : kind_(Kind::array), contents_(new Contents) { contents_->elements = std::move(elements); }
  Json(Object members) : kind_(Kind::object), contents_(new Contents) { contents_->members = std::move(members); }

  Json(Json&&) noexcept = default;
  Json& operator=(Json&&) noexcept = default;
  Json(const Json& other)
      : kind_(other.kind_),
        number_(other.number_),
        contents_(other.contents_ == nullptr ? nullptr : new Contents(*other.contents_)) {}
  Json& operator=(const Json& other) { return *this = Json(other); }
  ~Json() = default;

  bool is_null() const { return kind_ == Kind::null; }

  /// The value as a `bool`, `std::uint64_t`, `std::int64_t`, `double`, `std::string`, `Array` or `Object`, if it is one;
  /// null otherwise.
  template <class Value>
  const Value* get_if() const {
    if constexpr (std::same_as<Value, bool>) return kind_ == Kind::truth ? &number_.truth : nullptr;
    if constexpr (std::same_as<Value, std::uint64_t>) return kind_ == Kind::natural ? &number_.natural : nullptr;
    if constexpr (std::same_as<Value, std::int64_t>) return kind_ == Kind::integer ? &number_.integer : nullptr;
    if constexpr (std::same_as<Value, double>) return kind_ == Kind::real ? &number_.real : nullptr;
    if constexpr (std::same_as<Value, std::string>) return kind_ == Kind::text ? &contents_->text : nullptr;
    if constexpr (std::same_as<Value, Array>) return kind_ == Kind::array ? &contents_->elements : nullptr;
    if constexpr (std::same_as<Value, Object>) return kind_ == Kind::object ? &contents_->members : nullptr;
  }
  template <class Value>
  Value* get_if() {
    return const_cast<Value*>(std::as_const(*this).get_if<Value>());
  }

  /// The member of this name; null where there is none, or where this is no object.
  const Json* find(std::string_view name) const {
    const auto* members = get_if<Object>();
    if (members == nullptr) return nullptr;
    const auto member = members->find(name);
    return member == members->end() ? nullptr : &member->second;
  }

  friend bool operator==(const Json& a, const Json& b) {
    if (a.kind_ != b.kind_) return false;
    if (a.kind_ == Kind::null) return true;
    if (a.kind_ == Kind::truth) return a.number_.truth == b.number_.truth;
    if (a.kind_ == Kind::real) return a.number_.real == b.number_.real;
    if (a.contents_ == nullptr) return a.number_.natural == b.number_.natural;
    return a.contents_->text == b.contents_->text && a.contents_->elements == b.contents_->elements &&
           a.contents_->members == b.contents_->members;
  }

 private:
  enum class Kind { null, truth, natural, integer, real, text, array, object };

  union Number {
    std::uint64_t natural = 0;
    std::int64_t integer;
    double real;
    bool truth;
  };

  /// Of a text, an array or an object; the other two are empty.
  struct Contents {
    std::string text;
    Array elements;
    Object members;
  };

  Kind kind_ = Kind::null;
  Number number_;
  std::unique_ptr<Contents> contents_;
};

}  // namespace weft::detail
