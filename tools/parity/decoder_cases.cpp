// SPDX-License-Identifier: Apache-2.0
// The decoder layer.
#include <cstring>

#include "parity/attention_case.hpp"
#include "parity/layer_cases.hpp"

namespace parity {

namespace {

using DecoderLayer = weft::LlamaTypes<weft::Dynamic>::Layer;

/// The adjacency of attention, where the kind has one, and the one that the graph network works on.
template <class Additional>
void compare_adjacencies(GoldenCase& golden, const DecoderLayer& layer, const AttentionCase& attention, const Hidden& x,
                         const Additional& additional) {
  if (!golden.has("out.attn_weights")) return;
  weft::Inference inference;
  const auto weights =
      layer.self_attn.attention_weights(inference, layer.input_layernorm(inference, x), attention.inputs);
  golden.compare("out.attn_weights", weights);
  if (!golden.has("out.adjacency")) return;
  const auto edges = layer.graph->adjacency(inference, weights, attention.inputs, additional);
  // A learned aggregate is one matrix, which the reference broadcasts to the heads.
  std::vector<float> maps;
  const Index copies = golden.file().tensor("out.adjacency").shape.size() == 4
                           ? golden.file().tensor("out.adjacency").shape[1] / edges.extent(1)
                           : 1;
  for (Index copy = 0; copy < copies; ++copy) maps.insert(maps.end(), edges.data(), edges.data() + edges.size());
  golden.compare("out.adjacency", maps.data(), static_cast<Index>(maps.size()));
}

void decoder_layer_case(GoldenCase& golden) {
  auto config = config_of(golden);
  config.gnn.compatibility.pna_lm_negative_threshold = true;  // as the reference takes thresholds below 0
  const AttentionCase attention(golden, config.llama);
  const int layer_index = layer_index_of(golden);
  if (layer_index < 0 && config.gnn.gnn_mode != weft::GNNMode::none && config.llama.num_hidden_layers > 1) {
    weft::fail("layer_idx must be a number where trainable_scale starts from it, found null");
  }
  auto layer = weft::make_decoder_layer<weft::Dynamic>(config.llama, config.gnn, layer_index);
  load_layer(golden, layer);
  auto x = golden.tensor<float, Dyn, Dyn, Dyn>("in.hidden_states");
  const auto run = [&](auto& context, const auto& h, const auto&... additional) {
    return layer(context, h, attention.inputs, additional...);
  };
  if (!golden.has("in.additional_adj")) {
    run_layer(golden, layer, run, {"hidden_states"}, x);
    compare_adjacencies(golden, layer, attention, x, weft::none);
    return;
  }
  const auto& shape = golden.file().tensor("in.additional_adj").shape;
  Tensor<float, Shape<Dyn, Dyn, Dyn, Dyn>> additional(
      Shape<Dyn, Dyn, Dyn, Dyn>(shape[0], shape.size() == 4 ? shape[1] : 1, shape[shape.size() - 2], shape.back()));
  std::memcpy(additional.data(), golden.file().tensor("in.additional_adj").bytes.data(),
              static_cast<std::size_t>(additional.size()) * sizeof(float));
  run_layer(golden, layer, run, {"hidden_states", "additional_adj"}, x, additional);
  compare_adjacencies(golden, layer, attention, x, additional);
}

}  // namespace

void add_decoder_cases(LayerCases& cases) { cases["LlamaDecoderLayerWithGNN"] = decoder_layer_case; }

}  // namespace parity
