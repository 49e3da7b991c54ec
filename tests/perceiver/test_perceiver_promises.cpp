// SPDX-License-Identifier: Apache-2.0
// What the layers of perceivers and the attention made of them promise beside their values.
#include "weft/perceiver/cg_attention.hpp"
#include "weft/perceiver/cg_attention_interpolate.hpp"

#include "perceiver/perceiver_checks.hpp"
#include "support/layer_checks.hpp"

using namespace weft;
using namespace weft::testing;

namespace {

using Rows = Shape<Dyn, Dyn, Dyn>;

/// All promises of a causal layer on states of width 8, of 40 tokens at most.
template <class Layer>
void check_coarse(Layer layer) {
  randomize_parameters(layer, 5, 0.4);
  const auto on = [&](const AttentionInputs<float>& inputs) {
    return [&layer, inputs](auto& context, const auto& x) { return layer(context, x, inputs); };
  };
  const auto run = on(causal_inputs<float>());
  auto x = random_tensor<float>(Rows(2, 40, 8), 1);
  check_promises(run, layer, x);
  auto text = random_tensor<float>(Rows(1, 11, 8), 2);
  CHECK(is_causal(layer, text, causal_inputs<float>()));
  const std::int32_t padding[] = {0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0};
  CHECK(stays_finite(on(causal_inputs<float>(padding)), layer, text));
  auto token = random_tensor<float>(Rows(1, 1, 8), 3);
  CHECK(stays_finite(run, layer, token));
}

/// The promises of both kinds of cross attention.
template <class Layer>
void check_cross_attention(const CrossAttentionLayerOptions& options) {
  Layer layer(options);
  randomize_parameters(layer, 5, 0.4);
  auto query = random_tensor<float>(Rows(2, 30, 8), 1), key = random_tensor<float>(Rows(2, 70, 8), 2);
  const auto run = [&](auto& context, const auto& q, const auto& k) { return layer(context, q, k, k); };
  check_promises(run, layer, query, key);
  auto shared = random_tensor<float>(Rows(1, 30, 8), 3);  // one sequence of queries for both texts
  check_promises(run, layer, shared, key);
  auto token = random_tensor<float>(Rows(1, 1, 8), 4);
  CHECK(stays_finite(run, layer, token, token));
  const auto causal = [&](auto& context, const auto& x) {
    kernels::CrossAttentionMask<float> mask;
    mask.causal = true;
    return layer(context, x, x, x, mask);
  };
  auto text = random_tensor<float>(Rows(1, 7, 8), 5);
  CHECK(looks_only_back(causal, text));
}

template <class Layer>
void check_latent_layer(const CrossAttentionLayerOptions& options) {
  Layer layer(options);
  randomize_parameters(layer, 5, 0.4);
  const auto run = [&](auto& context, const auto& x) {
    kernels::CrossAttentionMask<float> mask;
    mask.causal = true;
    return layer(context, x, mask);
  };
  auto x = random_tensor<float>(Rows(2, 70, 8), 1);
  check_promises(run, layer, x);
  auto text = random_tensor<float>(Rows(1, 7, 8), 2);
  CHECK(looks_only_back(run, text));
  auto token = random_tensor<float>(Rows(1, 1, 8), 3);
  CHECK(stays_finite(run, layer, token));
}

}  // namespace

TEST_CASE("cross attention layers keep every promise, with one head too") {
  for (const Index heads : {1, 2}) {
    check_cross_attention<CrossAttention<Dyn, Dyn, Dyn>>({8, heads, 3, 0});
    check_cross_attention<CrossAttentionPlus<Dyn, Dyn, Dyn>>({8, heads, 3, 0});
  }
}

TEST_CASE("latent layers keep every promise, with one head too") {
  for (const Index heads : {1, 2}) {
    check_latent_layer<LatentTransformerLayer<Dyn, Dyn, Dyn>>({8, heads, 3, 0});
    check_latent_layer<LatentTransformerLayerPlus<Dyn, Dyn, Dyn>>({8, heads, 3, 0});
  }
}

TEST_CASE("perceivers and coarse-grained attention keep every promise") {
  for (const Index heads : {1, 2}) {
    const PerceiverOptions perceiver{8, heads, 40, 5, 0, 2, 0};
    for (const auto mask : {CGMask::reference, CGMask::group_causal}) {
      CAPTURE(heads, int(mask));
      check_coarse(PerceiverAR_Fixed_Token_Per_Latent<Dyn, Dyn>(perceiver, mask));
      check_coarse(CG_Attention<Dyn, Dyn>({perceiver, {10, 4}, true, mask}));
    }
  }
}

TEST_CASE("perceivers that scale up and attention mixed with them keep every promise") {
  for (const Index heads : {1, 2}) {
    const PerceiverOptions perceiver{8, heads, 40, 5, 0, 2, 0};
    for (const auto adjacency : {CGIAdjacency::reference, CGIAdjacency::active_latents}) {
      for (const auto interpolation : {AdjacencyInterpolation::nearest, AdjacencyInterpolation::bilinear}) {
        CAPTURE(heads, int(adjacency), int(interpolation));
        const PerceiverScalingOptions scaling{0.4, adjacency, interpolation, true};
        check_coarse(PerceiverAR_Fixed_Token_Per_Latent_Scaling<Dyn, Dyn>(perceiver, scaling));
        check_coarse(CG_Attention_Interpolate<Dyn, Dyn>({perceiver, {10, 4}, true, true, scaling}));
      }
    }
  }
}

TEST_CASE("heads that do not divide the hidden size are rounded down, statically and dynamically alike") {
  const CGAttentionOptions options{{8, 3, 40, 5, 0, 2, 0}, {10}};
  CG_Attention<Dyn, Dyn> layer(options);
  CHECK(layer.perceiver_layers[0].input_to_latent.to_q.weight.shape() == Shape<Dyn, Dyn>(6, 8));
  check_coarse(std::move(layer));
  CG_Attention<8, 3> typed(options);
  CG_Attention<Dyn, Dyn> untyped(options);
  randomize_parameters(typed, 3, 0.5);
  randomize_parameters(untyped, 3, 0.5);
  const auto x = random_tensor<float>(Shape<Dyn, Dyn, Dyn>(1, 7, 8), 1);
  const auto run = [&](const auto& attention) {
    AttentionInputs<float> inputs;
    inputs.causal = true;
    Inference context;
    return to_vector(attention(context, x, inputs));
  };
  CHECK(run(typed) == run(untyped));
  CHECK_THROWS_WITH((CG_Attention<Dyn, Dyn>({{8, 9, 40, 5, 0, 2, 0}, {10}})),
                    "perceiver: hidden_size must be at least heads, found 8 and 9");
}
