// SPDX-License-Identifier: Apache-2.0
// There is a value for each key.
// expect: cross_attention.q, k, v.: k and v must have as many tokens
#include "weft/perceiver/cross_attention_layer.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int values = 8;
#else
constexpr int values = 9;
#endif

using Query = weft::Tensor<float, weft::Shape<1, 4, 6>>;
using Key = weft::Tensor<float, weft::Shape<1, 9, 6>>;
using Value = weft::Tensor<float, weft::Shape<1, values, 6>>;

auto y(weft::Inference& context, const weft::CrossAttention<6, 2, 3>& layer, const Query& query, const Key& key,
       const Value& value) {
  return layer(context, query, key, value);
}
