// SPDX-License-Identifier: Apache-2.0
// A mask has a row for each node.
// expect: normalize_adjacency\(a, mask\): mask must have as many rows as a
#include "weft/ops/normalize_adjacency/normalize_adjacency.hpp"

#ifdef WEFT_MUST_FAIL
using Mask = weft::Tensor<float, weft::Shape<6, 5>>;
#else
using Mask = weft::Tensor<float, weft::Shape<5, 5>>;
#endif

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<2, 5, 5>>& a, const Mask& mask) {
  return weft::normalize_adjacency(context, a, mask);
}
