// SPDX-License-Identifier: Apache-2.0
// Rows of groups are added to rows as wide.
// expect: add_group_rows\(shape, rows\): both must have as many features
#include "weft/ops/group_rows/group_rows.hpp"

#ifdef WEFT_MUST_FAIL
using Rows = weft::Tensor<float, weft::Shape<2, 3, 9>>;
#else
using Rows = weft::Tensor<float, weft::Shape<2, 3, 8>>;
#endif

auto y(weft::Inference& context, const Rows& rows) {
  return weft::add_group_rows(context, weft::Shape<2, 12, 8>(), rows, {4});
}
