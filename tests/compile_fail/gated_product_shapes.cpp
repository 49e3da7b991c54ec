// SPDX-License-Identifier: Apache-2.0
// As many elements are not the same shape.
// expect: gated_product\(gate, up\): gate and up must have the same shape
#include "weft/ops/gated_product/gated_product.hpp"

#ifdef WEFT_MUST_FAIL
using Up = weft::Tensor<float, weft::Shape<weft::Dyn, 4, 8>>;
#else
using Up = weft::Tensor<float, weft::Shape<weft::Dyn, 32>>;
#endif

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<8, 32>>& gate, const Up& up) {
  return weft::gated_product(context, gate, up);
}
