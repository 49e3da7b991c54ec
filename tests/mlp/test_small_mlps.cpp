// SPDX-License-Identifier: Apache-2.0
#include "weft/autograd/gradcheck.hpp"
#include "weft/mlp/llama_simple_mlp.hpp"

#include "support/catch.hpp"
#include "support/random.hpp"

using namespace weft;
using namespace weft::testing;

TEST_CASE("the derivatives of the small feed-forward blocks agree with finite differences") {
  auto x = random_tensor<double>(Shape<2, Dyn, 4>(3), 1);
  auto residual = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 3, 4), 2);
  const auto check = [&](auto layer) {
    randomize_parameters(layer, 3, 0.5);
    const auto plain = [&](auto& context, auto& in) { return layer(context, in); };
    const auto with_residual = [&](auto& context, auto& in, auto& r) { return layer(context, in, r); };
    return gradcheck(plain, std::tie(x), layer).passed && gradcheck(with_residual, std::tie(x, residual), layer).passed;
  };
  CHECK(check(LlamaSimpleMLP<4, double>()));
  CHECK(check(LlamaSimpleMLP<Dyn, double>(Activation::gelu, true, 4)));
  CHECK(check(ShallowLlamaMLP<4, 6, double>()));
  CHECK(check(ShallowLlamaMLP<Dyn, Dyn, double>(Activation::tanh, true, 4, 6)));
}

TEST_CASE("the simple block activates after its linear map") {
  LlamaSimpleMLP<2> layer(Activation::relu, true);
  const float weight[] = {1, 0, 0, 1};
  std::copy_n(weight, 4, layer.proj.weight.data());
  layer.proj.bias->data()[0] = -5;
  layer.proj.bias->data()[1] = 5;
  const auto x = random_tensor<float>(Shape<1, 2>(), 1, 0.1);
  Inference inference;
  const auto y = layer(inference, x);
  CHECK(y(0, 0) == 0);
  CHECK(y(0, 1) == x(0, 1) + 5);
}
