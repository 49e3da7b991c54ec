// SPDX-License-Identifier: Apache-2.0
// Both extents are in the message.
// expect: linear\(x, weight\): the last axis of x must equal the last axis of weight \[out, in\]
// expect: extents_agree(<32, 48>|[^;]*First = 32; Second = 48)
#include "weft/ops/linear/linear.hpp"

#ifdef WEFT_MUST_FAIL
using Weight = weft::Tensor<float, weft::Shape<64, 48>>;
#else
using Weight = weft::Tensor<float, weft::Shape<64, 32>>;
#endif

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<weft::Dyn, weft::Dyn, 32>>& x,
       const Weight& weight) {
  return weft::linear(context, x, weight);
}
