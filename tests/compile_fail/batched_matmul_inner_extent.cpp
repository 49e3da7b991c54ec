// SPDX-License-Identifier: Apache-2.0
// expect: batched_matmul\(a, b\): the last axis of a must equal the middle axis of b
// expect: extents_agree(<32, 48>|[^;]*First = 32; Second = 48)
#include "weft/ops/batched_matmul/batched_matmul.hpp"

#ifdef WEFT_MUST_FAIL
using B = weft::Tensor<float, weft::Shape<4, 48, 16>>;
#else
using B = weft::Tensor<float, weft::Shape<4, 32, 16>>;
#endif

auto c(weft::Inference& context, const weft::Tensor<float, weft::Shape<4, 8, 32>>& a, const B& b) {
  return weft::batched_matmul(context, a, b);
}
