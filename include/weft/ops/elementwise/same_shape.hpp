// SPDX-License-Identifier: Apache-2.0
/// \file
/// The shape rule of operations on elements: every axis agrees.
#pragma once

#include "weft/tensor/shape.hpp"

namespace weft {

namespace detail {

template <class First, class Second>
struct MergeShapes;
template <auto... First, auto... Second>
struct MergeShapes<Shape<First...>, Shape<Second...>> {
  static constexpr bool agree = (SameExtent<First, Second> && ...);
  using type = Shape<merge_extents<First, Second>()...>;
};

template <class First, class Second>
constexpr bool shapes_agree() {
  if constexpr (First::rank == Second::rank) {
    return MergeShapes<First, Second>::agree;
  } else {
    return false;
  }
}

template <class First, class Second>
void expect_same_shape(const First& first, const Second& second, std::string_view sentence) {
  if (!(first == second)) [[unlikely]] {
    fail(concat(sentence, ", found ", first.text(), " and ", second.text()));
  }
}

}  // namespace detail

/// As many axes, and each pair equal or known only at run time.
template <class First, class Second>
concept SameShape = detail::shapes_agree<First, Second>();

/// The extents of two shapes that agree, static where either is.
template <class First, class Second>
using MergedShape = typename detail::MergeShapes<First, Second>::type;

}  // namespace weft

/// Asserts that two shapes agree on every axis, as WEFT_EXPECT_SAME_EXTENT does on one.
#define WEFT_EXPECT_SAME_SHAPE(x_shape, y_shape, sentence)                                                         \
  static_assert(::weft::SameShape<std::remove_cvref_t<decltype(x_shape)>, std::remove_cvref_t<decltype(y_shape)>>, \
                sentence);                                                                                         \
  ::weft::detail::expect_same_shape(x_shape, y_shape, sentence)
