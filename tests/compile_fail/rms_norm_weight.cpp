// SPDX-License-Identifier: Apache-2.0
// A norm has a weight for each feature.
// expect: rms_norm\(x, weight\): weight must have one value for each feature, the last axis of x
#include "weft/ops/rms_norm/rms_norm.hpp"

#ifdef WEFT_MUST_FAIL
using Weight = weft::Tensor<float, weft::Shape<9>>;
#else
using Weight = weft::Tensor<float, weft::Shape<8>>;
#endif

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<3, 8>>& x, const Weight& weight) {
  return weft::rms_norm(context, x, weight, 1e-6);
}
