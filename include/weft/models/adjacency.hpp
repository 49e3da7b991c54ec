// SPDX-License-Identifier: Apache-2.0
/// \file
/// The graph that a model draws over a text.
#pragma once

#include "weft/models/causal_lm.hpp"

namespace weft {

/// The attention weights of one layer as dense adjacency matrices, row = receiving token: for plots and inspection.
///
/// \param ids    [batch, tokens]
/// \param layer  counted from 0
/// \return       [batch, heads, tokens, tokens], in the context's memory
template <class VocabType, class StackType, class Ids>
auto adjacency(Inference& context, const DecoderModel<VocabType, StackType>& model, const Ids& ids, Index layer,
               const ModelInputs& inputs = {}) {
  if (layer < 0 || layer >= model.layers.size()) {
    fail(concat("adjacency(context, model, ids, layer): layer must be in [0, ", model.layers.size(), "), found ",
                layer));
  }
  const auto shared = model.attention_inputs(context, ids.extent(0), ids.extent(1), inputs);
  auto x = model.embed_tokens(context, ids);
  for (Index l = 0; l < layer; ++l) {
    x = context.evolve(x, [&](const auto& hidden) { return model.layers[l](context, hidden, shared); });
  }
  const auto& reached = model.layers[layer];
  return reached.self_attn.attention_weights(context, reached.input_layernorm(context, x), shared);
}

}  // namespace weft
