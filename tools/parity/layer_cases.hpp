// SPDX-License-Identifier: Apache-2.0
/// \file
/// The classes of the reference whose golden files can be run, by name.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "parity/run_layer.hpp"

namespace parity {

using Hidden = Tensor<float, Shape<Dyn, Dyn, Dyn>>;

inline weft::PretrainedConfig config_of(const GoldenCase& golden) {
  auto config = weft::parse_config(golden.text("config"), golden.file().path());
  return config;
}

inline weft::RotaryEmbedding rotary_of(const weft::LlamaConfig& llama) {
  return weft::RotaryEmbedding(llama.head_size(), llama.rope_theta, llama.max_position_embeddings, llama.rope_scaling);
}

/// Masks and rotary tables of an attention case, with the memory they lie in.
struct AttentionCase {
  Hidden cos;
  Hidden sin;
  Tensor<float, Shape<Dyn, Dyn, Dyn, Dyn>> mask;
  weft::AttentionInputs<float> inputs;

  AttentionCase(const GoldenCase& golden, const weft::LlamaConfig& llama) {
    if (golden.has("in.cos")) {
      cos = golden.tensor<float, Dyn, Dyn, Dyn>("in.cos");
      sin = golden.tensor<float, Dyn, Dyn, Dyn>("in.sin");
    } else {
      const auto positions = golden.tensor<std::int64_t, Dyn, Dyn>("in.position_ids");
      const Shape<Dyn, Dyn, Dyn> shape(positions.extent(0), positions.extent(1), llama.head_size());
      cos = Hidden(shape);
      sin = Hidden(shape);
      rotary_of(llama).fill(std::span<const Index>(positions.span()), cos.data(), sin.data());
    }
    inputs.cos = cos;
    inputs.sin = sin;
    if (golden.has("in.attention_mask")) {
      mask = golden.tensor<float, Dyn, Dyn, Dyn, Dyn>("in.attention_mask");
      inputs.additive_mask = mask.data();
    }
  }
};

/// Runs an attention or decoder layer, whose further result may be its adjacency.
template <class Layer, class Weights>
void run_attention(GoldenCase& golden, Layer& layer, const AttentionCase& attention, Weights&& weights) {
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.hidden_states");
  run_layer(
      golden, layer, [&](auto& context, const auto& h) { return layer(context, h, attention.inputs); },
      {"hidden_states"}, x);
  if (golden.has("out.attn_weights")) {
    weft::Inference inference;
    golden.compare("out.attn_weights", weights(inference, x));
  }
}

inline void rms_norm_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  weft::RMSNorm<Dyn> layer(arguments.at("eps"), arguments.at("hidden_size"));
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.x");
  run_layer(
      golden, layer, [&](auto& context, const auto& in) { return layer(context, in); }, {"x"}, x);
}

inline void rotary_case(GoldenCase& golden) {
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

inline void mlp_case(GoldenCase& golden) {
  const auto llama = config_of(golden).llama;
  weft::LlamaMLP<Dyn, Dyn> layer(weft::activation_of(llama.hidden_act), llama.mlp_bias, llama.hidden_size,
                                 llama.intermediate_size);
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.x");
  run_layer(
      golden, layer, [&](auto& context, const auto& in) { return layer(context, in); }, {"x"}, x);
}

inline void attention_case(GoldenCase& golden) {
  const auto config = config_of(golden);
  const AttentionCase attention(golden, config.llama);
  weft::LlamaAttention<Dyn, Dyn, Dyn, Dyn> layer(weft::attention_options(config.llama));
  run_attention(golden, layer, attention, [&](weft::Inference& context, const auto& x) {
    return layer.attention_weights(context, x, attention.inputs);
  });
}

inline void gin_layer_case(GoldenCase& golden) {
  const auto arguments = golden.json("ctor");
  const auto config = config_of(golden);
  weft::GINLayer<Dyn, Dyn> layer({.rms_norm_eps = config.llama.rms_norm_eps}, arguments.at("input_dim"),
                                 arguments.at("hidden_dim"));
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.x");
  auto adjacency = golden.tensor<float, Dyn, Dyn, Dyn>("in.adjacency");
  run_layer(
      golden, layer, [&](auto& context, const auto& in, const auto& a) { return layer(context, in, a); },
      {"x", "adjacency"}, x, adjacency);
}

inline void gin_attention_case(GoldenCase& golden) {
  const auto config = config_of(golden);
  if (!golden.text("call").starts_with("forward(")) {
    weft::fail("LlamaAttentionGIN: only forward is supported, found " + golden.text("call"));
  }
  // The layer alone may be wider than its input, which a whole model may not; everything else has to be supported.
  auto checked = config;
  checked.gnn.attention_GIN_MLP_o_proj_at_end = true;
  checked.gnn.use_GNN_from_attention = weft::GNNFromAttention::LlamaAttentionGIN;
  weft::validate(checked.llama, checked.gnn);
  const AttentionCase attention(golden, config.llama);
  weft::LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn> layer(weft::gin_options(config.llama, config.gnn));
  run_attention(golden, layer, attention, [&](weft::Inference& context, const auto& x) {
    return layer.attention_weights(context, x, attention.inputs);
  });
}

inline void decoder_layer_case(GoldenCase& golden) {
  const auto config = config_of(golden);
  const AttentionCase attention(golden, config.llama);
  auto layer = weft::make_decoder_layer<weft::Dynamic>(config.llama, config.gnn);
  run_attention(golden, layer, attention, [&](weft::Inference& context, const auto& x) {
    return layer.self_attn.attention_weights(context, layer.input_layernorm(context, x), attention.inputs);
  });
}

/// Class name of the reference to the function that runs its golden files.
inline const std::map<std::string, std::function<void(GoldenCase&)>>& layer_cases() {
  static const std::map<std::string, std::function<void(GoldenCase&)>> cases{
      {"LlamaRMSNorm", rms_norm_case},
      {"LlamaRotaryEmbedding", rotary_case},
      {"LlamaMLP", mlp_case},
      {"LlamaAttention", attention_case},
      {"LlamaAttention_Original", attention_case},
      {"GINLayer", gin_layer_case},
      {"LlamaAttentionGIN", gin_attention_case},
      {"LlamaDecoderLayerWithGNN", decoder_layer_case},
  };
  return cases;
}

}  // namespace parity
