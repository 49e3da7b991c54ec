// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the golden files of attention and decoder layers share: configuration, masks, rotary tables.
#pragma once

#include <numeric>

#include "parity/run_layer.hpp"

namespace parity {

using Hidden = Tensor<float, Shape<Dyn, Dyn, Dyn>>;

inline weft::PretrainedConfig config_of(const GoldenCase& golden) {
  auto config = weft::parse_config(golden.text("config"), golden.file().path());
  return config;
}

/// The layer's place in the model, from 0; -1 for the reference's None, which is none.
inline int layer_index_of(const GoldenCase& golden) {
  const auto index = golden.json("ctor").value("layer_idx", nlohmann::json(0));
  if (index.is_null()) return -1;
  if (!index.is_number_integer()) weft::fail("layer_idx must be an integer or null, found " + index.dump());
  return index.get<int>();
}

inline weft::RotaryEmbedding rotary_of(const weft::LlamaConfig& llama) {
  return weft::RotaryEmbedding(llama.head_size(), llama.rope_theta, llama.max_position_embeddings, llama.rope_scaling);
}

/// The positions of the tokens; where a case has none, it counts from 0.
inline Tensor<std::int64_t, Shape<Dyn, Dyn>> positions_of(const GoldenCase& golden) {
  if (golden.has("in.position_ids")) return golden.tensor<std::int64_t, Dyn, Dyn>("in.position_ids");
  Tensor<std::int64_t, Shape<Dyn, Dyn>> positions(
      Shape<Dyn, Dyn>(1, golden.file().tensor("in.hidden_states").shape[1]));
  std::iota(positions.data(), positions.data() + positions.size(), std::int64_t{0});
  return positions;
}

/// Masks and rotary tables of an attention case, with the memory they lie in.
struct AttentionCase {
  Hidden cos;
  Hidden sin;
  Tensor<float, Shape<Dyn, 1, Dyn, Dyn>> mask;
  weft::AttentionInputs<float> inputs;

  AttentionCase(const GoldenCase& golden, const weft::LlamaConfig& llama) {
    if (golden.has("in.cos")) {
      cos = golden.tensor<float, Dyn, Dyn, Dyn>("in.cos");
      sin = golden.tensor<float, Dyn, Dyn, Dyn>("in.sin");
    } else {
      const auto positions = positions_of(golden);
      const Shape<Dyn, Dyn, Dyn> shape(positions.extent(0), positions.extent(1), llama.head_size());
      cos = Hidden(shape);
      sin = Hidden(shape);
      rotary_of(llama).fill(std::span<const Index>(positions.span()), cos.data(), sin.data());
    }
    inputs.cos = cos;
    inputs.sin = sin;
    if (golden.has("in.attention_mask")) {
      mask = golden.mask("in.attention_mask");
      inputs.additive_mask = mask;
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

}  // namespace parity
