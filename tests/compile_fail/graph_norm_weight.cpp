// SPDX-License-Identifier: Apache-2.0
// A norm of graphs has a scale of the mean for each feature.
// expect: graph_norm\(x, weight, bias, mean_scale\): mean_scale must have one value for each feature
#include "weft/ops/graph_norm/graph_norm.hpp"

#ifdef WEFT_MUST_FAIL
using MeanScale = weft::Tensor<float, weft::Shape<5>>;
#else
using MeanScale = weft::Tensor<float, weft::Shape<8>>;
#endif

using Features = weft::Tensor<float, weft::Shape<8>>;

auto y(weft::Inference& context, const weft::Tensor<float, weft::Shape<6, 8>>& x, const Features& weight,
       const Features& bias, const MeanScale& mean_scale) {
  return weft::graph_norm(context, x, weight, bias, mean_scale, 1e-5);
}
