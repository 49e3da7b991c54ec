// SPDX-License-Identifier: Apache-2.0
// Shapes do not broadcast, not even an extent of 1.
// expect: add\(a, b\): a and b must have the same shape
// expect: Shape<8, 32>(; Second =|,) weft::Shape<1, 32>
#include "weft/ops/add/add.hpp"

#ifdef WEFT_MUST_FAIL
using B = weft::Tensor<float, weft::Shape<1, 32>>;
#else
using B = weft::Tensor<float, weft::Shape<8, 32>>;
#endif

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<8, 32>>& a, const B& b) {
  return weft::add(context, a, b);
}
