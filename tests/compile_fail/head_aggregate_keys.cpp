// SPDX-License-Identifier: Apache-2.0
// An adjacency has a column for each row that it sums.
// expect: head_aggregate\(a, u\): the last axis of a \[batch, heads, queries, keys\] must equal the middle axis
#include "weft/ops/head_aggregate/head_aggregate.hpp"

#ifdef WEFT_MUST_FAIL
using Adjacency = weft::Tensor<float, weft::Shape<2, 4, 5, 6>>;
#else
using Adjacency = weft::Tensor<float, weft::Shape<2, 4, 5, 7>>;
#endif

auto y(weft::Inference& context, const Adjacency& a, const weft::Tensor<float, weft::Shape<2, 7, 16>>& u) {
  return weft::head_aggregate(context, a, u);
}
