// SPDX-License-Identifier: Apache-2.0
/// \file
/// An extent: an `int` in a type, or `Dyn` for a number that is known only at run time; and what is computed with them.
#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>

#include "weft/tensor/error.hpp"
#include "weft/tensor/types.hpp"

namespace weft {

/// The type of the dynamic marker. It is an enumeration so that compilers print its name, not a number.
enum class DynamicExtent { Dyn };

/// An extent that is known only at run time: `Shape<Dyn, 64>`.
inline constexpr DynamicExtent Dyn = DynamicExtent::Dyn;

/// What may stand for an extent in a type: an `int`, or `Dyn`.
template <class Extent>
concept ExtentType = std::same_as<Extent, int> || std::same_as<Extent, DynamicExtent>;

/// True where the extent is `Dyn`.
template <auto Extent>
inline constexpr bool is_dynamic = std::same_as<std::remove_const_t<decltype(Extent)>, DynamicExtent>;

namespace detail {

template <auto First, auto Second>
constexpr bool extents_agree() {
  if constexpr (is_dynamic<First> || is_dynamic<Second>) {
    return true;
  } else {
    return First == Second;
  }
}

}  // namespace detail

/// The rule of most operations: two extents agree when they are equal, or when one is known only at run time. (One call,
/// because g++ then prints both extents where it does not hold.)
template <auto First, auto Second>
concept SameExtent = detail::extents_agree<First, Second>();

namespace detail {

/// An axis as a number; -1 for `Dyn`. Never part of a type or a message.
template <auto Extent>
constexpr Index static_value() {
  if constexpr (is_dynamic<Extent>) {
    return -1;
  } else {
    return Extent;
  }
}

}  // namespace detail

/// The known one of two extents that agree, `Dyn` when neither is known.
template <auto First, auto Second>
constexpr auto merge_extents() {
  if constexpr (is_dynamic<First>) {
    return Second;
  } else {
    return First;
  }
}

/// The product of two extents, `Dyn` when either is known only at run time: heads times head_dim.
template <auto First, auto Second>
constexpr auto multiply_extents() {
  if constexpr (is_dynamic<First> || is_dynamic<Second>) {
    return Dyn;
  } else {
    return First * Second;
  }
}

/// The quotient of two extents, `Dyn` when either is known only at run time: hidden_size over heads.
template <auto First, auto Second>
constexpr auto divide_extents() {
  if constexpr (is_dynamic<First> || is_dynamic<Second>) {
    return Dyn;
  } else {
    static_assert(First % Second == 0, "divide_extents: the first extent must be a multiple of the second");
    return First / Second;
  }
}

/// The extent of what has either of two, as a choice at run time decides: `Dyn` unless both are the same.
template <auto First, auto Second>
constexpr auto common_extent() {
  if constexpr (SameExtent<First, Second> && !is_dynamic<First> && !is_dynamic<Second>) {
    return First;
  } else {
    return Dyn;
  }
}

namespace detail {

/// `known` is -1 for `Dyn`.
[[gnu::noinline]] inline Index checked_extent(Index known, Index value, std::string_view what) {
  if (known < 0) {
    if (value <= 0) fail(concat(what, " must be given and positive where the type leaves it Dyn, found ", value));
    return value;
  }
  if (value != 0 && value != known) fail(concat(what, " is ", known, " in the type, found ", value));
  return known;
}

}  // namespace detail

/// The value of an extent: the one in the type, or `value` where that is `Dyn`. A `value` that contradicts the type is
/// refused; 0 stands for "not given".
template <auto Extent>
Index resolve_extent(Index value, std::string_view what) {
  return detail::checked_extent(detail::static_value<Extent>(), value, what);
}

}  // namespace weft
