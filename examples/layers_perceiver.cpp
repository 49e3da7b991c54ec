// SPDX-License-Identifier: Apache-2.0
// The examples of docs/layers.md for the perceivers and the attention made of them.
#include "weft/perceiver/cg_attention.hpp"
#include "weft/perceiver/cg_attention_interpolate.hpp"

#include "support/layer_inputs.hpp"

namespace {

using Inputs = weft::AttentionInputs<float>;

auto cross_attention(weft::Inference& context, weft::Rng& rng, const Hidden& x) {
  weft::CrossAttention<8, 2, 4> attention;
  attention.initialize(rng, 0.02);
  const weft::Tensor<float, weft::Shape<1, 3, 8>> queries;  // the same three for every text
  const auto y = attention(context, queries, x, x);         // [2, 3, 8]
  return y;
}

auto cross_attention_plus(weft::Inference& context, weft::Rng& rng, const Hidden& x) {
  weft::CrossAttentionPlus<8, 2, 4> attention;
  attention.initialize(rng, 0.02);
  weft::kernels::CrossAttentionMask<float> mask;
  mask.causal = true;
  const auto y = attention(context, x, x, x, mask, x);  // x + attention(x)
  return y;
}

auto latent_layer(weft::Inference& context, weft::Rng& rng, const Hidden& x) {
  weft::LatentTransformerLayer<8, 2, 4> layer;
  layer.initialize(rng, 0.02);
  weft::kernels::CrossAttentionMask<float> mask;
  mask.causal = true;
  const auto y = layer(context, x, mask);
  return y;
}

auto perceiver(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::PerceiverAR_Fixed_Token_Per_Latent<8, 2> perceiver({.max_position_embeddings = 16, .num_latents = 8},
                                                           weft::CGMask::group_causal);
  perceiver.initialize(rng, 0.02);
  const auto y = perceiver(context, x, inputs);
  return y;
}

auto perceiver_scaling(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::PerceiverAR_Fixed_Token_Per_Latent_Scaling<8, 2> perceiver(
      {.max_position_embeddings = 16, .num_latents = 8},
      {.mix_weights_initial = 0.5, .adjacency = weft::CGIAdjacency::active_latents});
  perceiver.initialize(rng, 0.02);
  const auto y = perceiver(context, x, inputs);
  return y;
}

auto cg_attention(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::CG_Attention<8, 2> attention({.perceiver = {.max_position_embeddings = 16}, .num_latents_list = {8, 4}});
  attention.initialize(rng, 0.02);
  const auto y = attention(context, x, inputs, x);
  return y;
}

auto cg_interpolate(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::CG_Attention_Interpolate<8, 2> attention(
      {.perceiver = {.max_position_embeddings = 16}, .num_latents_list = {8, 4}, .use_projection = true});
  attention.initialize(rng, 0.02);
  const auto y = attention(context, x, inputs, x);
  return y;
}

}  // namespace

int main() {
  weft::Rng rng{42};
  weft::Inference context;
  const Hidden x = random_hidden(rng.next_stream());
  const RotaryTables rotary;
  const Inputs inputs = rotary.inputs();

  Results results;
  results.show("CrossAttention", cross_attention(context, rng, x));
  results.show("CrossAttentionPlus", cross_attention_plus(context, rng, x));
  results.show("LatentTransformerLayer", latent_layer(context, rng, x));
  results.show("PerceiverAR_Fixed_Token_Per_Latent", perceiver(context, rng, x, inputs));
  results.show("PerceiverAR_Fixed_Token_Per_Latent_Scaling", perceiver_scaling(context, rng, x, inputs));
  results.show("CG_Attention", cg_attention(context, rng, x, inputs));
  results.show("CG_Attention_Interpolate", cg_interpolate(context, rng, x, inputs));
  return results.status();
}
