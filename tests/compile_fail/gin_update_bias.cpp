// SPDX-License-Identifier: Apache-2.0
// The networks of a GIN have a bias for each row of their weights.
// expect: gin_update\(x, aggregated, heads\): mlp4_bias must have one value for each row of mlp4_weight
#include <vector>

#include "weft/ops/gin/gin.hpp"

#ifdef WEFT_MUST_FAIL
constexpr int dim = 5;
#else
constexpr int dim = 4;
#endif

template <int... Extent>
using Values = weft::Parameter<float, weft::Shape<Extent...>>;

struct Head {
  Values<> epsilon;
  Values<8> normlayer_weight;
  Values<8, 4> mlp0_weight;
  Values<8> mlp0_bias;
  Values<4, 8> mlp4_weight;
  Values<dim> mlp4_bias;
};

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<2, 3, 8>>& x, const std::vector<Head>& heads) {
  return weft::gin_update(context, x, x, heads);
}
