// SPDX-License-Identifier: Apache-2.0
/// \file
/// The shape that is left when the last axis is reduced.
#pragma once

#include <array>
#include <utility>

#include "weft/tensor/shape.hpp"

namespace weft {

namespace detail {

template <class ShapeType, class Positions>
struct DropLast;
template <class ShapeType, int... Positions>
struct DropLast<ShapeType, std::integer_sequence<int, Positions...>> {
  using type = Shape<AxisOf<ShapeType, Positions>::extent...>;
};

}  // namespace detail

/// The shape without its last axis.
template <class ShapeType>
using DropLast = typename detail::DropLast<ShapeType, std::make_integer_sequence<int, ShapeType::rank - 1>>::type;

/// A shape [..., n] as [...], with the same run-time extents.
template <class ShapeType>
DropLast<ShapeType> drop_last_axis(const ShapeType& shape) {
  std::array<Index, static_cast<std::size_t>(ShapeType::rank - 1)> extents;
  for (std::size_t axis = 0; axis < extents.size(); ++axis) extents[axis] = shape[static_cast<int>(axis)];
  return DropLast<ShapeType>::from(extents);
}

}  // namespace weft
