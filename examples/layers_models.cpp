// SPDX-License-Identifier: Apache-2.0
// The examples of docs/layers.md for decoder layers and models.
#include "weft/models/adjacency.hpp"
#include "weft/models/generate.hpp"
#include "weft/models/llama.hpp"
#include "weft/models/parameter_helpers.hpp"

#include "support/layer_inputs.hpp"

namespace {

using Inputs = weft::AttentionInputs<float>;
using Ids = weft::Tensor<std::int32_t, weft::Shape<2, 4>>;

auto decoder_layer(weft::Inference& context, weft::Rng& rng, const Hidden& x, const Inputs& inputs) {
  weft::DecoderLayer<8, weft::LlamaAttention<8, 2>, weft::LlamaMLP<8, 16>> layer;
  layer.initialize(rng, 0.02);
  const auto y = layer(context, x, inputs);
  return y;
}

auto causal_lm(weft::Tape& tape, const Ids& ids) {
  using Block = weft::DecoderLayer<8, weft::LlamaAttentionGIN<8, 2>, weft::LlamaMLP<8, 16>>;
  const weft::CausalLM<weft::Vocab<256>, weft::Stack<Block, 3>> model(weft::Rng{42});
  const auto loss = model.loss(tape, ids, ids);  // of predicting each next token
  tape.backward(loss);
  const auto y = model.model(tape, ids);  // the hidden states of the DecoderModel inside
  return y;
}

auto llama_for_causal_lm(weft::Inference& context, const Ids& ids) {
  const weft::LlamaConfig llama{
      .vocab_size = 256, .hidden_size = 8, .intermediate_size = 16, .num_hidden_layers = 2, .num_attention_heads = 2};
  const weft::GNNConfig gnn{.use_GNN_from_attention = weft::GNNFromAttention::LlamaAttentionGIN};
  const weft::LlamaForCausalLMWithGNN<weft::Dynamic> model(llama, gnn, weft::Rng{42});
  auto cache = model.make_cache(2, 32);
  const auto y = model(context, ids, {}, &cache);  // logits; the cache knows four tokens now
  return y;
}

auto adjacency(weft::Inference& context, const Ids& ids) {
  using Block = weft::DecoderLayer<8, weft::LlamaAttentionGIN<8, 2>, weft::LlamaMLP<8, 16>>;
  const weft::CausalLM<weft::Vocab<256>, weft::Stack<Block, 3>> model(weft::Rng{42});
  const auto y = weft::adjacency(context, model.model, ids, 1);  // of the second layer: [2, 2, 4, 4]
  return y;
}

auto fine_tuning(weft::Inference& context, const Ids& ids) {
  const weft::LlamaConfig llama{
      .vocab_size = 256, .hidden_size = 8, .intermediate_size = 16, .num_hidden_layers = 2, .num_attention_heads = 2};
  const weft::GNNConfig gnn{.gnn_type = weft::GNNType::causal_gin, .gnn_mode = weft::GNNMode::single};
  weft::LlamaForCausalLMWithGNN<weft::Dynamic> model(llama, gnn, weft::Rng{42});
  weft::freeze_except_select(model, weft::graph_keywords, weft::Semantics::intended);
  const auto y = model(context, ids);
  return y;
}

}  // namespace

int main() {
  weft::Rng rng{42};
  weft::Inference context;
  weft::Tape tape;
  const Hidden x = random_hidden(rng.next_stream());
  const RotaryTables rotary;
  Ids ids;
  ids.assign(std::vector<std::int32_t>{7, 0, 255, 7, 1, 2, 3, 4});

  Results results;
  results.show("DecoderLayer", decoder_layer(context, rng, x, rotary.inputs()));
  results.show("CausalLM", causal_lm(tape, ids));
  results.show("LlamaForCausalLMWithGNN", llama_for_causal_lm(context, ids));
  results.show("adjacency", adjacency(context, ids));
  results.show("fine-tuning", fine_tuning(context, ids));
  return results.status();
}
