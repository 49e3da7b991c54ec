// SPDX-License-Identifier: Apache-2.0
/// \file
/// Some rows of a learned table, alone or added to the rows of every text: position tables, latent arrays, queries.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/linear/linear.hpp"
#include "weft/ops/table_rows/table_rows_kernels.hpp"

namespace weft {

/// Which rows of a table, and what they are multiplied by.
struct TableRows {
  Index count;
  Index first = 0;
  double factor = 1;
};

/// Where packed texts lie in x, and whether their results stay there. Empty: one text in each row.
struct PackedTexts {
  PackedRows rows = {};
  bool in_place = false;
};

namespace detail {

/// dx = dy,  dtable = factor Σ_b dy; zeros where rows were left out.
template <class T, class DeviceType>
struct TableRowsBackward {
  TableRowsSize size;
  T factor;
  Gradient* x;
  Gradient* table;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = TableRowsKernels<DeviceType>;
    const T* dy = y->values<T>();
    if (auto dtable = tape.template target<T>(table)) Kernels::backward_table(size, dy, factor, dtable);
    if (tape.hand_over(y, x)) return;
    if (auto dx = tape.template target<T>(x)) Kernels::backward_input(size, dy, dx);
  }
};

template <class Table, class X>
TableRowsSize table_rows_size(const Table& table, const TableRows& rows, const X& x, const PackedTexts& texts) {
  const PackedRows& packed = texts.rows;
  static_assert(ShapeOf<Table>::rank == 3, "table_rows(table, rows, x): the table must be [1, rows, features]");
  TableRowsSize size{1, rows.count, rows.count, table.extent(2), rows.first, table.extent(1)};
  if (table.extent(0) != 1 || rows.first < 0 || rows.count < 0 || rows.first + rows.count > table.extent(1)) {
    fail(concat("table_rows(table, rows, x): rows ", rows.first, " to ", rows.first + rows.count,
                " are not in a table of shape ", table.shape().text()));
  }
  if constexpr (!std::is_same_v<X, None>) {
    WEFT_EXPECT_SAME_EXTENT(x.shape(), 2, table.shape(), 2,
                            "table_rows(table, rows, x): x and the table must have as many features");
    size.batch = packed ? packed.sequences : x.extent(0);
    size.tokens = packed ? packed.longest : x.extent(1);
    size.packed = packed;
    size.in_place = texts.in_place && packed;
    if (size.tokens < rows.count) {
      fail(
          concat("table_rows(table, rows, x): x must have ", rows.count, " rows or more, found ",
                 packed ? concat("packed texts of ", packed.longest, " at most") : concat("shape ", x.shape().text())));
    }
    if (size.in_place && rows.count != packed.longest) {
      fail(concat(
          "table_rows(table, rows, x, packed): in place there must be a row for each token of the longest text, ",
          packed.longest, ", found ", rows.count));
    }
    if (packed && packed.starts[packed.sequences] != x.extent(0) * x.extent(1)) {
      fail(concat("table_rows(table, rows, x, packed): the packed texts have ", packed.starts[packed.sequences],
                  " tokens, x has shape ", x.shape().text()));
    }
  }
  return size;
}

}  // namespace detail

/// y[b, t] = x[b, t] + factor table[0, first + t] for t < rows.count. Later rows of x are left out. Packed texts are
/// taken apart: y[s, t] is of token t of text s, with zeros for x where the text has ended. Or every token of them, in
/// place, gets the row of its number within its text.
///
/// \param table   [1, table rows, features]
/// \param x       [batch, tokens, features], tokens >= rows.count, or `none`: zeros for one text
/// \param packed  `PackedTexts`, the longest of rows.count tokens or more; `none`: not packed, the type tells the batch
/// \return        [batch (or texts, or 1), rows.count, features], or in place [batch, tokens, features]
template <class Context, class Table, class X = None, class Packed = None>
auto table_rows(Context& context, const Table& table, const TableRows& rows, const X& x = none,
                const Packed& packed = none) {
  using T = ElementOf<Table>;
  using Device = typename Context::Device;
  const TableRowsSize size = [&] {
    if constexpr (std::is_same_v<Packed, None>) {
      return detail::table_rows_size(table, rows, x, {});
    } else {
      return detail::table_rows_size(table, rows, x, packed);
    }
  }();
  const auto tables = operand(context, table);
  const auto xs = detail::optional_operand<Context, X, T>(context, x);
  const T factor = static_cast<T>(rows.factor);
  const auto shape = [&] {
    constexpr auto features = extent_of<ShapeOf<Table>, 2>;
    if constexpr (std::is_same_v<X, None>) {
      return Shape<1, Dyn, features>::from({1, size.rows, size.features});
    } else if constexpr (!std::is_same_v<Packed, None>) {
      if (size.in_place) return Shape<Dyn, Dyn, features>::from({x.extent(0), x.extent(1), size.features});
      return Shape<Dyn, Dyn, features>::from({size.batch, size.rows, size.features});
    } else {
      return Shape<extent_of<ShapeOf<X>, 0>, Dyn, features>::from({size.batch, size.rows, size.features});
    }
  }();
  auto y = context.template make<T>(shape, xs.gradient || tables.gradient);
  TableRowsKernels<Device>::forward(size, xs.data, tables.data, factor, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::TableRowsBackward<T, Device>{size, factor, xs.gradient, tables.gradient, y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
