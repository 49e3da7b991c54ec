// SPDX-License-Identifier: Apache-2.0
/// \file
/// A whole Llama, graph-aware or plain, from its configuration: as a type, or with every extent known at run time.
#pragma once

#include <string>

#include "weft/models/make_layer.hpp"

namespace weft {

/// The decoder layers, embedding and norm of a configuration.
template <class Config, class T = float, class DeviceType = Cpu>
using LlamaModelWithGNN = DecoderModel<typename LlamaTypes<Config, T, DeviceType>::Vocabulary,
                                       typename LlamaTypes<Config, T, DeviceType>::Layers>;

/// Asks a constructor to draw no first values.
struct WithoutValues {};

/// What the configuration files of a model say that is of no effect here, to be written back with it: JSON texts, empty where
/// there is no file.
struct ConfigRemainder {
  std::string config{};             ///< the fields of config.json beside those of LlamaConfig and GNNConfig
  std::string generation_config{};  ///< all of generation_config.json
};

/// A Llama with a language-model head. `Config` is a configuration type, or `Dynamic`.
///
///     weft::LlamaForCausalLMWithGNN<Scribe> model(weft::Rng{42});
///     weft::LlamaForCausalLMWithGNN<weft::Dynamic> other(llama_config, gnn_config, weft::Rng{42});
template <class Config, class Element = float, class DeviceType = Cpu>
class LlamaForCausalLMWithGNN : public CausalLM<typename LlamaTypes<Config, Element, DeviceType>::Vocabulary,
                                                typename LlamaTypes<Config, Element, DeviceType>::Layers> {
  using Types = LlamaTypes<Config, Element, DeviceType>;
  using Base = CausalLM<typename Types::Vocabulary, typename Types::Layers>;

 public:
  /// First values as Hugging Face draws them: N(0, initializer_range²), norms 1, biases 0.
  explicit LlamaForCausalLMWithGNN(Rng rng) requires(!std::is_same_v<Config, Dynamic>)
      : LlamaForCausalLMWithGNN(Config::llama, Config::gnn, rng) {}

  /// With run-time choices; extents that the type knows must agree.
  LlamaForCausalLMWithGNN(const LlamaConfig& llama, const GNNConfig& gnn, Rng rng)
      : LlamaForCausalLMWithGNN(llama, gnn, WithoutValues()) {
    this->initialize(rng);
  }

  /// Of the folder that the model was loaded from.
  ConfigRemainder remainder{};

  /// All parameters are 0, in memory that nothing has touched: for whoever has the values.
  LlamaForCausalLMWithGNN(const LlamaConfig& llama, const GNNConfig& gnn, WithoutValues)
      : Base(make_layers(llama, gnn), model_options(llama, gnn)), llama_(llama), gnn_(gnn) {}

  const LlamaConfig& llama_config() const { return llama_; }
  const GNNConfig& gnn_config() const { return gnn_; }

 private:
  static typename Types::Layers make_layers(const LlamaConfig& llama, const GNNConfig& gnn) {
    return typename Types::Layers(
        [&](int layer_idx) { return make_decoder_layer<Config, Element, DeviceType>(llama, gnn, layer_idx); },
        llama.num_hidden_layers);
  }

  LlamaConfig llama_;
  GNNConfig gnn_;
};

}  // namespace weft
