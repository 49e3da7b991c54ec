// SPDX-License-Identifier: Apache-2.0
// The rule that does not hold is among the lines that the compiler shows.
// expect: LlamaForCausalLMWithGNN<Config>: the configuration is not supported
// expect: num_attention_heads
#include "weft/models/llama.hpp"

struct Model {
#ifdef WEFT_MUST_FAIL
  static constexpr int heads = 9;
#else
  static constexpr int heads = 8;
#endif
  static constexpr weft::LlamaConfig llama{.vocab_size = 300,
                                           .hidden_size = 560,
                                           .intermediate_size = 1536,
                                           .num_hidden_layers = 2,
                                           .num_attention_heads = heads};
  static constexpr weft::GNNConfig gnn{};
};

weft::LlamaForCausalLMWithGNN<Model> model(weft::Rng rng) { return weft::LlamaForCausalLMWithGNN<Model>(rng); }
