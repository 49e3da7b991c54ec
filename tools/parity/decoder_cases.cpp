// SPDX-License-Identifier: Apache-2.0
// The decoder layer.
#include "parity/attention_case.hpp"
#include "parity/layer_cases.hpp"

namespace parity {

namespace {

void decoder_layer_case(GoldenCase& golden) {
  const auto config = config_of(golden);
  const AttentionCase attention(golden, config.llama);
  auto layer = weft::make_decoder_layer<weft::Dynamic>(config.llama, config.gnn);
  run_attention(golden, layer, attention, [&](weft::Inference& context, const auto& x) {
    return layer.self_attn.attention_weights(context, layer.input_layernorm(context, x), attention.inputs);
  });
}

}  // namespace

void add_decoder_cases(LayerCases& cases) { cases["LlamaDecoderLayerWithGNN"] = decoder_layer_case; }

}  // namespace parity
