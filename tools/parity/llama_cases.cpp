// SPDX-License-Identifier: Apache-2.0
// The parts of a plain Llama.
#include "parity/attention_case.hpp"
#include "parity/layer_cases.hpp"

namespace parity {

namespace {

void rms_norm_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  weft::RMSNorm<Dyn> layer(arguments.at("eps"), arguments.at("hidden_size"));
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.x");
  run_layer(
      golden, layer, [&](auto& context, const auto& in) { return layer(context, in); }, {"x"}, x);
}

void rotary_case(GoldenCase& golden) {
  const auto positions = golden.tensor<std::int64_t, Dyn, Dyn>("in.position_ids");
  const auto rotary = rotary_of(config_of(golden).llama);
  std::vector<float> cos(static_cast<std::size_t>(positions.size() * rotary.head_dim()));
  std::vector<float> sin(cos.size());
  rotary.fill(std::span<const Index>(positions.span()), cos.data(), sin.data());
  golden.compare("out.cos", cos.data(), static_cast<Index>(cos.size()));
  golden.compare("out.sin", sin.data(), static_cast<Index>(sin.size()));
  const auto frequencies = rotary.inverse_frequencies();
  golden.compare("out.inv_freq", frequencies.data(), static_cast<Index>(frequencies.size()));
}

void mlp_case(GoldenCase& golden) {
  const auto llama = config_of(golden).llama;
  weft::LlamaMLP<Dyn, Dyn> layer(weft::activation_of(llama.hidden_act), llama.mlp_bias, llama.hidden_size,
                                 llama.intermediate_size);
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.x");
  run_layer(
      golden, layer, [&](auto& context, const auto& in) { return layer(context, in); }, {"x"}, x);
}

void attention_case(GoldenCase& golden) {
  const auto config = config_of(golden);
  const AttentionCase attention(golden, config.llama);
  weft::LlamaAttention<Dyn, Dyn, Dyn, Dyn> layer(weft::attention_options(config.llama));
  run_attention(golden, layer, attention, [&](weft::Inference& context, const auto& x) {
    return layer.attention_weights(context, x, attention.inputs);
  });
}

}  // namespace

void add_llama_cases(LayerCases& cases) {
  cases["LlamaRMSNorm"] = rms_norm_case;
  cases["LlamaRotaryEmbedding"] = rotary_case;
  cases["LlamaMLP"] = mlp_case;
  cases["LlamaAttention"] = attention_case;
  cases["LlamaAttention_Original"] = attention_case;
}

}  // namespace parity
