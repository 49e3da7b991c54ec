// SPDX-License-Identifier: Apache-2.0
// The examples of docs/layers.md for attention.
#include "weft/attention/adj_rms_norm.hpp"
#include "weft/attention/any_attention.hpp"
#include "weft/attention/gin_layer.hpp"
#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_gin.hpp"
#include "weft/attention/llama_attention_pna.hpp"
#include "weft/attention/reset_thresholds.hpp"

#include "support/layer_inputs.hpp"

namespace {

using Inputs = weft::AttentionInputs<float>;

auto llama_attention(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::LlamaAttention<8, 2> attention;
  attention.initialize(rng, 0.02);
  const auto [y, weights] = attention.with_weights(context, x, inputs, x);  // x + attention(x), and [2, 2, 4, 4]
  return y;
}

auto gin_layer(weft::Inference& context, weft::Rng& rng, const Hidden& x) {
  weft::GINLayer<8, 16> gin({.self_term = weft::GINSelfTerm::one_plus_epsilon});
  gin.initialize(rng, 0.02);
  weft::Tensor<float, weft::Shape<2, 4, 4>> adjacency;  // no edges yet: all zeros
  adjacency(0, 3, 1) = 1;                               // in text 0, token 3 receives from token 1
  const auto y = gin(context, x, adjacency);
  return y;
}

auto attention_gin(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::LlamaAttentionGIN<8, 2> attention(
      {.o_proj_at_end = true, .use_sharpening = true, .threshold = {.mode = weft::ThresholdMode::silu}});
  attention.initialize(rng, 0.02);
  const auto y = attention(context, x, inputs, x);
  return y;
}

auto differential_gin(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::LlamaAttentionGIN<8, 2> attention({.use_differential_attention = true, .layer_idx = 0});
  attention.initialize(rng, 0.02);
  const auto [y, adjacency] = attention.with_weights(context, x, inputs);  // adjacency: [2, 2, 4, 4]
  return y;
}

auto attention_pna(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::LlamaAttentionPNA<8, 2> attention({.pna_max = weft::PNAMax::neighbours});
  attention.initialize(rng, 0.02);
  const auto y = attention(context, x, inputs);
  return y;
}

auto attention_pna_lm(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::LlamaAttentionPNA_LM<8, 2> attention({.learnable_threshold = true, .threshold_value = 0.05});
  attention.initialize(rng, 0.02);
  const auto names = weft::reset_threshold_parameters(attention, 0.1);  // {"threshold.0"}
  const auto y = attention(context, x, inputs);
  return y;
}

auto any_attention(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::AnyAttention<weft::LlamaAttention<8, 2>, weft::LlamaAttentionPNA<8, 2>> attention(
      weft::LlamaAttentionPNA<8, 2>{});
  attention.initialize(rng, 0.02);
  const auto y = attention(context, x, inputs, x);
  return y;
}

auto adj_rms_norm(weft::Inference& context, const Weights& weights) {
  const weft::AdjRMSNorm<> norm;
  const auto y = norm(context, weights);  // one mean square for each text
  return y;
}

}  // namespace

int main() {
  weft::Rng rng{42};
  weft::Inference context;
  const Hidden x = random_hidden(rng.next_stream());
  const Weights weights = even_weights();
  const RotaryTables rotary;
  const Inputs inputs = rotary.inputs();

  Results results;
  results.show("LlamaAttention", llama_attention(context, rng, x, inputs));
  results.show("GINLayer", gin_layer(context, rng, x));
  results.show("LlamaAttentionGIN", attention_gin(context, rng, x, inputs));
  results.show("LlamaAttentionGIN, differential", differential_gin(context, rng, x, inputs));
  results.show("LlamaAttentionPNA", attention_pna(context, rng, x, inputs));
  results.show("LlamaAttentionPNA_LM", attention_pna_lm(context, rng, x, inputs));
  results.show("AnyAttention", any_attention(context, rng, x, inputs));
  results.show("AdjRMSNorm", adj_rms_norm(context, weights));
  return results.status();
}
