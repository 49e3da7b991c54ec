// SPDX-License-Identifier: Apache-2.0
/// \file
/// One row for every token of a group: how what was computed once for a group comes back to its tokens.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/group_rows/group_rows_kernels.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

/// How tokens belong to groups.
struct RowGroups {
  Index size = 1;                      ///< tokens of a group
  Index shift = 0;                     ///< tokens before the first group
  const std::int32_t* keep = nullptr;  ///< [batch, tokens], 0 = belongs to no group; must outlive the step on a tape
  PackedRows packed = {};              ///< where several texts share a row; groups are those of a text
};

namespace detail {

/// drows = sums of dy over groups,  dbase = dy.
template <class T, class DeviceType>
struct GroupRowsBackward {
  GroupRowsSize size;
  Gradient* rows;
  Gradient* base;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = GroupRowsKernels<DeviceType>;
    const T* dy = y->values<T>();
    if (auto drows = tape.template target<T>(rows)) Kernels::backward_rows(size, dy, drows);
    if (tape.hand_over(y, base)) return;
    Kernels::add(size.batch * size.tokens * size.features, dy, tape.template target<T>(base));
  }
};

template <class ResultShape>
void expect_packed(const PackedRows& packed, Index texts, const ResultShape& shape) {
  if (texts != packed.sequences || packed.starts[packed.sequences] != shape[0] * shape[1]) {
    fail(concat("add_group_rows(shape, rows): rows must be of ", packed.sequences, " packed texts of ",
                packed.starts[packed.sequences], " tokens together, found ", texts, " for shape ", shape.text()));
  }
}

}  // namespace detail

/// y[b, t] = base[b, t] + rows[b, ⌊(t - shift) / size⌋]; tokens of no group get nothing added. Packed texts are put
/// together: rows[s, n] is for group n of text s, and rows of groups that it has not got are for nobody.
///
/// \param shape  of the result, [batch, tokens, features]
/// \param rows   [batch (packed: texts), groups, features]
/// \param base   [batch, tokens, features], or `none`: zeros
template <class Context, class ResultShape, class Rows, class Base = None>
auto add_group_rows(Context& context, const ResultShape& shape, const Rows& rows, const RowGroups& groups,
                    const Base& base = none) {
  using T = ElementOf<Rows>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<Rows>::rank == 3 && ResultShape::rank == 3,
                "add_group_rows(shape, rows): both must be [batch, rows, features]");
  if (groups.packed) {
    detail::expect_packed(groups.packed, rows.extent(0), shape);
  } else {
    WEFT_EXPECT_SAME_EXTENT(rows.shape(), 0, shape, 0, "add_group_rows(shape, rows): both must have the same batch");
  }
  WEFT_EXPECT_SAME_EXTENT(rows.shape(), 2, shape, 2, "add_group_rows(shape, rows): both must have as many features");
  if (groups.size < 1 || groups.shift < 0) {
    fail(concat("add_group_rows(shape, rows): groups must have 1 token or more and start at 0 or later, found ",
                groups.size, " and ", groups.shift));
  }
  if constexpr (!std::is_same_v<Base, None>) {
    if (!(base.shape() == shape)) {
      fail(concat("add_group_rows(shape, rows, base): base must have shape ", shape.text(), ", found ",
                  base.shape().text()));
    }
  }
  const GroupRowsSize size{shape[0],    shape[1],     rows.extent(1), shape[2],
                           groups.size, groups.shift, groups.keep,    groups.packed};
  const auto row_operand = operand(context, rows);
  const auto base_operand = detail::optional_operand<Context, Base, T>(context, base);
  auto y = context.template make<T>(shape, row_operand.gradient || base_operand.gradient);
  GroupRowsKernels<Device>::forward(size, base_operand.data, row_operand.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::GroupRowsBackward<T, Device>{size, row_operand.gradient,
                                                                           base_operand.gradient, y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
