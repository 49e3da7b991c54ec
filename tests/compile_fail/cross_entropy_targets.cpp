// SPDX-License-Identifier: Apache-2.0
// There is a target for each row of logits.
// expect: cross_entropy\(logits, targets\): targets must have the shape of logits without its last axis
#include "weft/ops/cross_entropy/cross_entropy.hpp"

#ifdef WEFT_MUST_FAIL
using Targets = weft::Tensor<int, weft::Shape<2, 5>>;
#else
using Targets = weft::Tensor<int, weft::Shape<2, 4>>;
#endif

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<2, 4, 9>>& logits, const Targets& targets) {
  return weft::cross_entropy(context, logits, targets);
}
