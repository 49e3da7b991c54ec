// SPDX-License-Identifier: Apache-2.0
// As many latents as positions leave nothing to scale up.
// expect: LlamaForCausalLMWithGNN<Config>: the configuration is not supported
// expect: num_latents_list
#include "weft/models/llama.hpp"

struct Model {
#ifdef WEFT_MUST_FAIL
  static constexpr int latents = 64;
#else
  static constexpr int latents = 32;
#endif
  static constexpr weft::LlamaConfig llama{
      .vocab_size = 300, .hidden_size = 64, .intermediate_size = 96, .num_hidden_layers = 2, .num_attention_heads = 4};
  static constexpr weft::GNNConfig gnn{.use_GNN_from_attention = weft::GNNFromAttention::CG_Attention_Interpolate,
                                       .num_latents_list = {latents},
                                       .max_position_embeddings = 64};
};

weft::LlamaForCausalLMWithGNN<Model> model(weft::Rng rng) { return weft::LlamaForCausalLMWithGNN<Model>(rng); }
