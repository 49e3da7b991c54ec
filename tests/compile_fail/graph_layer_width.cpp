// SPDX-License-Identifier: Apache-2.0
// expect: linear.x, weight.: the last axis of x must equal the last axis of weight
// expect: CausalGINLayer
#include "weft/graph/causal_gin_layer.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int features = 5;
#else
constexpr int features = 4;
#endif

auto y(weft::Inference& context, const weft::CausalGINLayer<4, 3>& layer,
       const weft::Tensor<float, weft::Shape<weft::Dyn, features>>& x, const weft::Graph& graph) {
  return layer(context, x, graph);
}
