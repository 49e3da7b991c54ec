// SPDX-License-Identifier: Apache-2.0
// Rows of a table are added to rows as wide.
// expect: table_rows\(table, rows, x\): x and the table must have as many features
#include "weft/ops/table_rows/table_rows.hpp"

#ifdef WEFT_MUST_FAIL
using X = weft::Tensor<float, weft::Shape<2, 3, 9>>;
#else
using X = weft::Tensor<float, weft::Shape<2, 3, 8>>;
#endif

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<1, 16, 8>>& table, const X& x) {
  return weft::table_rows(context, table, weft::TableRows{0, 3}, x);
}
