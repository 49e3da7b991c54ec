// SPDX-License-Identifier: Apache-2.0
// What each consumer builds and runs.
#include <cstdio>

#include "weft/layers/linear.hpp"
#include "weft/version.hpp"

int main() {
  weft::Linear<3, 2> layer;
  weft::Rng rng{42};
  layer.initialize(rng, 0.02);

  using Rows = weft::Shape<weft::Dyn, 3>;
  const weft::Tensor<float, Rows> x(Rows(4));
  weft::Inference inference;
  const auto y = layer(inference, x);
  std::printf("weft %s: a linear layer takes %s to %s\n", weft::version, x.shape().text().c_str(),
              y.shape().text().c_str());
  return y.size() == 8 ? 0 : 1;
}
