// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small models of both attention kinds, for tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "weft/models/llama.hpp"

#include "support/random.hpp"

namespace weft::testing {

struct TinyLlama {
  static constexpr LlamaConfig llama{.vocab_size = 23,
                                     .hidden_size = 24,
                                     .intermediate_size = 20,
                                     .num_hidden_layers = 2,
                                     .num_attention_heads = 4,
                                     .num_key_value_heads = 2};
  static constexpr GNNConfig gnn{};
};

struct TinyGIN {
  static constexpr LlamaConfig llama{
      .vocab_size = 23, .hidden_size = 24, .intermediate_size = 20, .num_hidden_layers = 2, .num_attention_heads = 4};
  static constexpr GNNConfig gnn{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN,
                                 .attention_GIN_MLP_multiplier = 0.5,
                                 .use_sharpening = true,
                                 .attention_GIN_MLP_GIN_softmax_temperature = 1.3};
};

/// GIN attention, and a feed-forward block on its adjacency.
struct TinyHops {
  static constexpr LlamaConfig llama = TinyGIN::llama;
  static constexpr GNNConfig gnn{.use_GNN_from_attention = GNNFromAttention::LlamaAttentionGIN,
                                 .attention_GIN_MLP_multiplier = 0.5,
                                 .MLP_type = MLPType::LlamaMLP_HalfwayGIN_MultiHop};
};

using Ids = Tensor<std::int32_t, Shape<Dyn, Dyn>>;

inline Ids random_ids(Index batch, Index tokens, std::uint64_t seed, std::uint32_t vocab = 23) {
  Ids ids(Shape<Dyn, Dyn>(batch, tokens));
  const Rng rng(seed);
  for (Index i = 0; i < ids.size(); ++i) {
    ids.data()[i] = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(i), vocab));
  }
  return ids;
}

/// A model whose weights are large enough that every part shows in the logits.
template <class Config, class T = float>
LlamaForCausalLMWithGNN<Config, T> random_model(std::uint64_t seed) {
  LlamaForCausalLMWithGNN<Config, T> model(Config::llama, Config::gnn, Rng(seed));
  randomize_parameters(model, seed, 0.3);
  return model;
}

/// The loss of predicting each next token, and the gradients of all parameters, with dropout.
template <class Model>
std::vector<float> loss_and_gradients(Tape& tape, Model& model, const Ids& ids) {
  clear_gradients(model);
  tape.reset();
  tape.enable_dropout(Rng(9));
  const auto loss = model.loss(tape, ids, ids);
  tape.backward(loss);
  std::vector<float> all{*loss.data()};
  for_each_parameter(model, [&](const ParameterName&, const auto& parameter) {
    if (!parameter.has_gradient()) return;
    const auto gradient = parameter.gradient().span();
    all.insert(all.end(), gradient.begin(), gradient.end());
  });
  return all;
}

/// The same values in a model whose extents are known at run time only.
template <class Config>
LlamaForCausalLMWithGNN<Dynamic> dynamic_copy(const LlamaForCausalLMWithGNN<Config>& model) {
  LlamaForCausalLMWithGNN<Dynamic> copy(Config::llama, Config::gnn, Rng(0));
  std::map<std::string, std::vector<float>> values;
  for_each_parameter(model, [&](const ParameterName& name, const auto& parameter) {
    values[name.name].assign(parameter.data(), parameter.data() + parameter.size());
  });
  for_each_parameter(
      copy, [&](const ParameterName& name, auto& parameter) { parameter.value().assign(values.at(name.name)); });
  return copy;
}

}  // namespace weft::testing
