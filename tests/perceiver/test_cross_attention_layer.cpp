// SPDX-License-Identifier: Apache-2.0
#include "weft/perceiver/latent_transformer_layer.hpp"

#include "perceiver/perceiver_checks.hpp"

using namespace weft;
using namespace weft::testing;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("cross attention layers have the derivatives of finite differences") {
  auto query = random_tensor<double>(Shape<1, 3, 6>(), 1);
  auto key = random_tensor<double>(Shape<2, 4, 6>(), 2);
  auto query_dynamic = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 3, 6), 1);
  auto key_dynamic = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 4, 6), 2);
  const auto check = [&](auto layer) {
    randomize_parameters(layer, 3, 0.5);
    const auto run = [&](auto& context, auto& q, auto& k) { return layer(context, q, k, k); };
    return gradcheck(run, std::tie(query, key), layer).passed &&
           gradcheck(run, std::tie(query_dynamic, key_dynamic), layer).passed;
  };
  CHECK(check(CrossAttention<6, 2, 3, double>()));
  CHECK(check(CrossAttention<Dyn, Dyn, Dyn, double>({6, 1, 5, 0})));
  CHECK(check(CrossAttentionPlus<6, 2, 3, double>()));
  CHECK(check(CrossAttentionPlus<Dyn, Dyn, Dyn, double>({6, 2, 5, 0})));
}

TEST_CASE("cross attention of supplied weights alone leaves queries and keys without gradient") {
  CrossAttentionPlus<4, 2, 2> layer;
  randomize_parameters(layer, 4, 0.5);
  auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 3, 4), 1);
  const auto supplied = random_tensor<float>(Shape<1, 2, 3, 3>(), 2);
  kernels::CrossAttentionMixing<float> mixing;
  mixing.kind = kernels::SuppliedWeights::dense;
  const auto attend = [&](auto& context, const auto& in, const auto&) {
    return layer(context, in, in, in, {}, none, mixing, supplied);
  };
  Tape tape;
  auto watched = tape.watch(x);
  const auto y = attend(tape, watched, none);
  tape.backward(y, TensorView<const float, ShapeOf<decltype(y)>>(x.data(), y.shape()));
  CHECK_FALSE(layer.to_q.weight.has_gradient());
  CHECK_FALSE(layer.to_k.weight.has_gradient());
  CHECK(layer.to_v.weight.has_gradient());
}

TEST_CASE("latent layers have the derivatives of finite differences and are causal when asked") {
  auto x = random_tensor<double>(Shape<Dyn, Dyn, Dyn>(2, 4, 4), 1);
  auto fixed_x = random_tensor<double>(Shape<1, 3, 4>(), 1);
  LatentTransformerLayer<4, 2, 2, double> fixed;
  LatentTransformerLayerPlus<Dyn, Dyn, Dyn, double> dynamic({4, 1, 3, 0});
  randomize_parameters(fixed, 3, 0.5);
  randomize_parameters(dynamic, 4, 0.5);
  kernels::CrossAttentionMask<double> causal;
  causal.causal = true;
  CHECK(
      gradcheck([&](auto& context, auto& in) { return fixed(context, in, causal); }, std::tie(fixed_x), fixed).passed);
  CHECK(gradcheck([&](auto& context, auto& in) { return dynamic(context, in, causal); }, std::tie(x), dynamic).passed);
  CHECK(gradcheck([&](auto& context, auto& in) { return fixed(context, in, {}); }, std::tie(x), fixed).passed);
  const auto weights = [&](auto& context, auto& in) { return dynamic.causal_weights(context, in); };
  CHECK(gradcheck(weights, std::tie(x), dynamic).passed);

  LatentTransformerLayer<4, 2, 2> layer;
  randomize_parameters(layer, 3, 0.5);
  const auto run = [&](Inference& context, const auto& in, const auto&) {
    kernels::CrossAttentionMask<float> mask;
    mask.causal = true;
    return layer(context, in, mask);
  };
  CHECK(is_causal(run, random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 5, 4), 1), {}));
}

TEST_CASE("latent layers drop weights and results only while dropout is on") {
  LatentTransformerLayer<8, 2, 4> layer({8, 2, 4, 0.4});
  randomize_parameters(layer, 3, 0.5);
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 6, 8), 1);
  Inference inference;
  const auto quiet = to_vector(layer(inference, x, {}));
  Tape tape;
  CHECK(to_vector(layer(tape, x, {})) == quiet);
  tape.enable_dropout(Rng(3));
  const auto dropped = to_vector(layer(tape, x, {}));
  CHECK(dropped != quiet);
  tape.enable_dropout(Rng(3));
  CHECK(to_vector(layer(tape, x, {})) == dropped);
}

TEST_CASE("cross attention layers start as the reference does and refuse a probability") {
  CrossAttention<6, 2, 3> layer;
  Rng rng(1);
  layer.initialize(rng, 0.02);
  CHECK(layer.to_out.bias->data()[0] == 0);
  CHECK(std::abs(layer.to_q.weight.data()[0]) > 0);
  CHECK(count_parameters(layer) == 3 * 36 + 36 + 6);
  CHECK_THROWS_WITH((CrossAttention<6, 2, 3>({6, 2, 3, 1.0})), ContainsSubstring("dropout must be in [0, 1), found 1"));
}
