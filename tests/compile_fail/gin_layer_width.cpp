// SPDX-License-Identifier: Apache-2.0
// expect: GINLayer: x must have input_dim features
// expect: extents_agree
#include "weft/attention/gin_layer.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int features = 5;
#else
constexpr int features = 4;
#endif

auto y(weft::Inference& context, const weft::GINLayer<4, 8>& layer,
       const weft::Tensor<float, weft::Shape<1, weft::Dyn, features>>& x,
       const weft::Tensor<float, weft::Shape<1, weft::Dyn, weft::Dyn>>& adjacency) {
  return layer(context, x, adjacency);
}
