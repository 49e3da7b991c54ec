// SPDX-License-Identifier: Apache-2.0
/// \file
/// Extents that are known at compile time, at run time, or a mixture, in one type.
#pragma once

#include <array>
#include <cassert>
#include <concepts>
#include <limits>
#include <span>
#include <string>
#include <utility>

#include "weft/tensor/extent.hpp"

namespace weft {

/// Whether two lists of extents are equal. (A loop, because std::equal of two empty arrays makes g++ 12 warn of null.)
constexpr bool same_extents(std::span<const Index> first, std::span<const Index> second) {
  if (first.size() != second.size()) return false;
  for (std::size_t axis = 0; axis < first.size(); ++axis) {
    if (first[axis] != second[axis]) return false;
  }
  return true;
}

namespace detail {

/// "[8, 256, 560]"
[[gnu::cold, gnu::noinline]] inline std::string extents_text(std::span<const Index> extents) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < extents.size(); ++axis) text += concat(axis == 0 ? "" : ", ", extents[axis]);
  return text + "]";
}

/// The bytes of a tensor that `owner` is about to take memory for. Extents are numbers that a caller may have got wrong, so
/// they are looked at here, once for each allocation; views and kernels may then rely on them.
[[gnu::cold, gnu::noinline]] inline std::size_t checked_bytes(std::string_view owner, std::span<const Index> extents,
                                                              std::size_t element_bytes) {
  auto bytes = static_cast<Index>(element_bytes);
  for (const Index extent : extents) {
    if (extent < 0) fail(concat(owner, ": no extent may be negative, found shape ", extents_text(extents)));
    if (extent > 0 && bytes > std::numeric_limits<Index>::max() / extent) {
      fail(concat(owner, ": shape ", extents_text(extents), " of ", element_bytes,
                  "-byte elements is larger than any memory"));
    }
    bytes *= extent;
  }
  return static_cast<std::size_t>(bytes);
}

[[noreturn, gnu::cold, gnu::noinline]] inline void fail_axis(std::string_view what, int axis, Index expected,
                                                             Index found) {
  fail(concat(what, ": axis ", axis, " must be ", expected, ", found ", found));
}

}  // namespace detail

/// The extents of a tensor. Only those that are `Dyn` are stored.
///
///     Shape<Dyn, Dyn, 560> hidden_states(8, 256);   // batch, tokens, features
template <auto... Extents>
class Shape {
  static_assert((ExtentType<decltype(Extents)> && ...), "Shape: every extent must be an int or weft::Dyn");
  static_assert(((is_dynamic<Extents> || detail::static_value<Extents>() >= 0) && ...),
                "Shape: an extent must not be negative");

 public:
  static constexpr int rank = static_cast<int>(sizeof...(Extents));
  static constexpr int dynamic_rank = (0 + ... + (is_dynamic<Extents> ? 1 : 0));
  static constexpr bool is_static = dynamic_rank == 0;

  /// All dynamic extents are 0.
  constexpr Shape() = default;

  /// One value for each `Dyn`, in order.
  template <std::convertible_to<Index>... Values>
  requires(sizeof...(Values) > 0 &&
           static_cast<int>(sizeof...(Values)) == dynamic_rank) constexpr explicit Shape(Values... values)
      : dynamic_{static_cast<Index>(values)...} {}

  /// From run-time extents of every axis; the known ones are checked.
  static Shape from(const std::array<Index, sizeof...(Extents)>& extents, std::string_view what = "Shape") {
    Shape shape;
    int next = 0;
    for (int axis = 0; axis < rank; ++axis) {
      const Index expected = static_extents_[axis];
      const Index found = extents[static_cast<std::size_t>(axis)];
      if (expected < 0) {
        shape.dynamic_[static_cast<std::size_t>(next++)] = found;
      } else if (expected != found) {
        detail::fail_axis(what, axis, expected, found);
      }
    }
    return shape;
  }

  /// The extent of an axis, counted from 0.
  constexpr Index operator[](int axis) const {
    assert(axis >= 0 && axis < rank);
    const Index known = static_extents_[axis];
    return known >= 0 ? known : dynamic_[static_cast<std::size_t>(dynamic_position(axis))];
  }

  /// The number of elements.
  constexpr Index size() const {
    if constexpr (is_static) {
      return (Index{1} * ... * detail::static_value<Extents>());
    } else {
      Index product = 1;
      for (int axis = 0; axis < rank; ++axis) product *= (*this)[axis];
      return product;
    }
  }

  constexpr std::array<Index, sizeof...(Extents)> extents() const {
    std::array<Index, sizeof...(Extents)> all{};
    for (int axis = 0; axis < rank; ++axis) all[static_cast<std::size_t>(axis)] = (*this)[axis];
    return all;
  }

  /// As people write it: "[8, 256, 560]".
  std::string text() const { return detail::extents_text(extents()); }

  template <auto... Others>
  constexpr bool operator==(const Shape<Others...>& other) const {
    if constexpr (sizeof...(Others) != sizeof...(Extents)) {
      return false;
    } else {
      return same_extents(extents(), other.extents());
    }
  }

 private:
  static constexpr Index static_extents_[sizeof...(Extents) + 1] = {detail::static_value<Extents>()..., 0};

  static constexpr int dynamic_position(int axis) {
    int position = 0;
    for (int before = 0; before < axis; ++before) position += static_extents_[before] < 0 ? 1 : 0;
    return position;
  }

  [[no_unique_address]] std::array<Index, static_cast<std::size_t>(dynamic_rank)> dynamic_{};
};

/// True for every `Shape<...>`.
template <class Candidate>
inline constexpr bool is_shape = false;
template <auto... Extents>
inline constexpr bool is_shape<Shape<Extents...>> = true;

namespace detail {

template <int Axis, auto First, auto... Rest>
constexpr auto nth_extent() {
  if constexpr (Axis == 0) {
    return First;
  } else {
    return nth_extent<Axis - 1, Rest...>();
  }
}

template <class ShapeType, int Axis>
struct AxisOf;
template <auto... Extents, int Axis>
struct AxisOf<Shape<Extents...>, Axis> {
  static constexpr int index = Axis < 0 ? Axis + static_cast<int>(sizeof...(Extents)) : Axis;
  static constexpr auto extent = nth_extent<index, Extents...>();
};

template <class ShapeType, int Axis, auto Extent, class Positions>
struct ReplaceAxisOf;
template <auto... Extents, int Axis, auto Extent, int... Positions>
struct ReplaceAxisOf<Shape<Extents...>, Axis, Extent, std::integer_sequence<int, Positions...>> {
  template <int Position, auto Old>
  static constexpr auto pick() {
    if constexpr (Position == Axis) {
      return Extent;
    } else {
      return Old;
    }
  }
  using type = Shape<pick<Positions, Extents>()...>;
};

template <class ShapeType>
struct DropFirstOf;
template <auto First, auto... Rest>
struct DropFirstOf<Shape<First, Rest...>> {
  using type = Shape<Rest...>;
};

}  // namespace detail

/// The extent of an axis as the type knows it, an `int` or `Dyn`; negative axes count from the end.
template <class ShapeType, int Axis>
inline constexpr auto extent_of = detail::AxisOf<ShapeType, Axis>::extent;

/// The same shape with another extent on one axis (counted from 0).
template <class ShapeType, int Axis, auto Extent>
using ReplaceAxis =
    typename detail::ReplaceAxisOf<ShapeType, Axis, Extent, std::make_integer_sequence<int, ShapeType::rank>>::type;

/// The shape without its first axis.
template <class ShapeType>
using DropFirst = typename detail::DropFirstOf<ShapeType>::type;

}  // namespace weft

/// Asserts that two axes agree: at compile time where both are known, with the same sentence at run time otherwise. A
/// macro because C++20 wants the sentence of a `static_assert` as a literal, and it must not be written twice.
#define WEFT_EXPECT_SAME_EXTENT(x_shape, x_axis, y_shape, y_axis, sentence)                              \
  static_assert(::weft::SameExtent<::weft::extent_of<std::remove_cvref_t<decltype(x_shape)>, (x_axis)>,  \
                                   ::weft::extent_of<std::remove_cvref_t<decltype(y_shape)>, (y_axis)>>, \
                sentence);                                                                               \
  ::weft::detail::expect_same_extent(x_shape, (x_axis), y_shape, (y_axis), sentence)

namespace weft::detail {

[[noreturn, gnu::cold, gnu::noinline]] inline void fail_same_extent(std::string_view sentence,
                                                                    std::span<const Index> first, int first_axis,
                                                                    std::span<const Index> second, int second_axis) {
  fail(concat(sentence, ", found ", first[static_cast<std::size_t>(first_axis)], " (shape ", extents_text(first),
              ") and ", second[static_cast<std::size_t>(second_axis)], " (shape ", extents_text(second), ")"));
}

/// Always inlined: it is a comparison of constants or two numbers, but would be a function for each pair of shapes.
template <class First, class Second>
[[gnu::always_inline]] inline void expect_same_extent(const First& first, int first_axis, const Second& second,
                                                      int second_axis, std::string_view sentence) {
  if (first_axis < 0) first_axis += First::rank;
  if (second_axis < 0) second_axis += Second::rank;
  if (first[first_axis] != second[second_axis]) [[unlikely]] {
    fail_same_extent(sentence, first.extents(), first_axis, second.extents(), second_axis);
  }
}

}  // namespace weft::detail
