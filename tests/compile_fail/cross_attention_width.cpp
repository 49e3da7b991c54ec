// SPDX-License-Identifier: Apache-2.0
// The keys are of another width than the layer.
// expect: linear.x, weight.: the last axis of x must equal the last axis of weight
// expect: CrossAttention
#include "weft/perceiver/cross_attention_layer.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int width = 8;
#else
constexpr int width = 6;
#endif

using Query = weft::Tensor<float, weft::Shape<1, 4, 6>>;
using Key = weft::Tensor<float, weft::Shape<1, 9, width>>;

auto y(weft::Inference& context, const weft::CrossAttention<6, 2, 3>& layer, const Query& query, const Key& key) {
  return layer.attention_weights(context, query, key);
}
