// SPDX-License-Identifier: Apache-2.0
// Hops go from tokens to the same tokens.
// expect: hop_sum\(a, x\): a must be square, \[batch, heads, tokens, tokens\]
#include "weft/ops/hop_sum/hop_sum.hpp"

#ifdef WEFT_MUST_FAIL
using Adjacency = weft::Tensor<float, weft::Shape<2, 4, 5, 7>>;
#else
using Adjacency = weft::Tensor<float, weft::Shape<2, 4, 7, 7>>;
#endif

using Epsilons = weft::Tensor<float, weft::Shape<4>>;

auto y(weft::Inference& context, const Adjacency& a, const weft::Tensor<float, weft::Shape<2, 7, 16>>& x,
       const Epsilons& e) {
  return weft::hop_sum(context, a, x, e, std::array<const Epsilons*, 1>{&e});
}
