// SPDX-License-Identifier: Apache-2.0
/// \file
/// A GIN-Llama small enough to train in a test, and text for it.
#pragma once

#include <string>

#include "weft/attention/llama_attention_gin.hpp"
#include "weft/mlp/llama_mlp.hpp"
#include "weft/models/causal_lm.hpp"
#include "weft/train/text.hpp"
#include "weft/train/trainer.hpp"

#include "train/letter_model.hpp"

namespace weft::testing {

using GINBlock = DecoderLayer<48, LlamaAttentionGIN<48, 3, 3, 16, 24>, LlamaMLP<48, 80>>;
using GINLlama = CausalLM<Vocab<256>, Stack<GINBlock, 2>>;

inline GINLlama make_gin_llama(std::uint64_t seed = 42, double dropout = 0.1) {
  const LlamaAttentionGINOptions attention{
      .o_proj_at_end = true, .multiplier = 1.5, .use_sharpening = true, .gin = {.dropout_rate = dropout}};
  Stack<GINBlock, 2> layers(
      [&](int) { return GINBlock(LlamaAttentionGIN<48, 3, 3, 16, 24>(attention), LlamaMLP<48, 80>()); });
  GINLlama model(std::move(layers));
  Rng rng(seed);
  model.initialize(rng);
  return model;
}

/// The first lines of the Tao Te Ching in James Legge's translation (1891), over and over: 2136 bytes.
inline std::string some_text() {
  const std::string text =
      "The Tao that can be trodden is not the enduring and unchanging Tao. The name that can be named is not the "
      "enduring and unchanging name. Conceived of as having no name, it is the Originator of heaven and earth; "
      "conceived of as having a name, it is the Mother of all things.\n";
  std::string repeated;
  for (int time = 0; time < 8; ++time) repeated += text;
  return repeated;
}

}  // namespace weft::testing
