// SPDX-License-Identifier: Apache-2.0
// A norm has a bias for each feature.
// expect: layer_norm\(x, weight, bias\): bias must have one value for each feature, the last axis of x
#include "weft/ops/layer_norm/layer_norm.hpp"

#ifdef WEFT_MUST_FAIL
using Bias = weft::Tensor<float, weft::Shape<9>>;
#else
using Bias = weft::Tensor<float, weft::Shape<8>>;
#endif

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<3, 8>>& x,
       const weft::Tensor<float, weft::Shape<8>>& weight, const Bias& bias) {
  return weft::layer_norm(context, x, weight, bias, 1e-5);
}
