// SPDX-License-Identifier: Apache-2.0
// A bias has a value for each row of the weight.
// expect: linear_columns\(x, weight, bias\): bias must have one value for each row of weight
#include "weft/ops/linear_columns/linear_columns.hpp"

#ifdef WEFT_MUST_FAIL
using Bias = weft::Tensor<float, weft::Shape<7>>;
#else
using Bias = weft::Tensor<float, weft::Shape<5>>;
#endif

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<2, 3, 4>>& x,
       const weft::Tensor<float, weft::Shape<5, 8>>& weight, const Bias& bias) {
  return weft::linear_columns(context, x, weight, 0, bias);
}
