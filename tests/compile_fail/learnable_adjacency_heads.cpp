// SPDX-License-Identifier: Apache-2.0
// expect: adjacency_mlp.a, w0, ....: w0 must have one column for each head of a
#include "weft/graph/aggregated_learnable_adjacency_transformer.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int heads = 4;
#else
constexpr int heads = 8;
#endif

auto y(weft::Inference& context, const weft::AggregatedLearnableAdjacencyTransformer<8, 16>& layer,
       const weft::Tensor<float, weft::Shape<1, heads, weft::Dyn, weft::Dyn>>& attention) {
  return layer(context, attention);
}
