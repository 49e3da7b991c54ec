// SPDX-License-Identifier: Apache-2.0
/// \file
/// A whole Llama, graph-aware or plain, from its configuration: as a type, or with every extent known at run time.
#pragma once

#include "weft/attention/any_attention.hpp"
#include "weft/attention/llama_attention.hpp"
#include "weft/attention/llama_attention_gin.hpp"
#include "weft/mlp/llama_mlp.hpp"
#include "weft/models/causal_lm.hpp"
#include "weft/models/config.hpp"
#include "weft/models/config_options.hpp"

namespace weft {

/// Names a model whose extents all come from a configuration at run time: `LlamaForCausalLMWithGNN<Dynamic>`.
struct Dynamic {};

/// The types of a model's parts, from a configuration type: a struct with `static constexpr LlamaConfig llama` and
/// `static constexpr GNNConfig gnn`.
template <class Config, class T = float, class DeviceType = Cpu>
struct LlamaTypes {
  static constexpr const LlamaConfig& llama = Config::llama;
  static constexpr const GNNConfig& gnn = Config::gnn;
  static_assert(validate(llama, gnn), "LlamaForCausalLMWithGNN<Config>: the configuration is not supported");

  static constexpr int kHiddenSize = llama.hidden_size;
  static constexpr bool kIsGIN = gnn.use_GNN_from_attention == GNNFromAttention::LlamaAttentionGIN;

  /// The attention layer of the configuration; a template, so that only the chosen kind is instantiated.
  template <bool IsGIN, class Dummy = void>
  struct AttentionOf {
    using type =
        LlamaAttention<kHiddenSize, llama.num_attention_heads, llama.kv_heads(), llama.head_size(), T, DeviceType>;
  };
  template <class Dummy>
  struct AttentionOf<true, Dummy> {
    using type = LlamaAttentionGIN<kHiddenSize, llama.num_attention_heads, llama.kv_heads(), llama.head_size(),
                                   gnn.gin_hidden_dim(llama.head_size()), T, DeviceType>;
  };

  using Attention = typename AttentionOf<kIsGIN>::type;
  using MLP = LlamaMLP<kHiddenSize, llama.intermediate_size, T, DeviceType>;
  using Layer = DecoderLayer<kHiddenSize, Attention, MLP, T, DeviceType>;
  using Layers = Stack<Layer, llama.num_hidden_layers>;
  using Vocabulary = Vocab<llama.vocab_size>;

  static Attention make_attention(const LlamaConfig& llama_config, const GNNConfig& gnn_config) {
    if constexpr (kIsGIN) {
      return Attention(gin_options(llama_config, gnn_config));
    } else {
      return Attention(attention_options(llama_config));
    }
  }
};

template <class T, class DeviceType>
struct LlamaTypes<Dynamic, T, DeviceType> {
  using Standard = LlamaAttention<Dyn, Dyn, Dyn, Dyn, T, DeviceType>;
  using GIN = LlamaAttentionGIN<Dyn, Dyn, Dyn, Dyn, Dyn, T, DeviceType>;

  using Attention = AnyAttention<Standard, GIN>;
  using MLP = LlamaMLP<Dyn, Dyn, T, DeviceType>;
  using Layer = DecoderLayer<Dyn, Attention, MLP, T, DeviceType>;
  using Layers = Stack<Layer, Dyn>;
  using Vocabulary = Vocab<Dyn>;

  static Attention make_attention(const LlamaConfig& llama, const GNNConfig& gnn) {
    if (gnn.use_GNN_from_attention == GNNFromAttention::LlamaAttentionGIN) return GIN(gin_options(llama, gnn));
    return Standard(attention_options(llama));
  }
};

/// The decoder layer of a configuration (LlamaDecoderLayerWithGNN with `gnn_mode` none).
template <class Config, class T = float, class DeviceType = Cpu>
typename LlamaTypes<Config, T, DeviceType>::Layer make_decoder_layer(const LlamaConfig& llama, const GNNConfig& gnn) {
  validate(llama, gnn);
  using Types = LlamaTypes<Config, T, DeviceType>;
  return {
      Types::make_attention(llama, gnn),
      typename Types::MLP(activation_of(llama.hidden_act), llama.mlp_bias, llama.hidden_size, llama.intermediate_size),
      llama.rms_norm_eps, llama.hidden_size};
}

/// The decoder layers, embedding and norm of a configuration.
template <class Config, class T = float, class DeviceType = Cpu>
using LlamaModelWithGNN = DecoderModel<typename LlamaTypes<Config, T, DeviceType>::Vocabulary,
                                       typename LlamaTypes<Config, T, DeviceType>::Layers>;

/// A Llama with a language-model head. `Config` is a configuration type, or `Dynamic`.
///
///     weft::LlamaForCausalLMWithGNN<Scribe> model(weft::Rng{42});
///     weft::LlamaForCausalLMWithGNN<weft::Dynamic> other(llama_config, gnn_config, weft::Rng{42});
template <class Config, class T_ = float, class DeviceType = Cpu>
class LlamaForCausalLMWithGNN : public CausalLM<typename LlamaTypes<Config, T_, DeviceType>::Vocabulary,
                                                typename LlamaTypes<Config, T_, DeviceType>::Layers> {
  using Types = LlamaTypes<Config, T_, DeviceType>;
  using Base = CausalLM<typename Types::Vocabulary, typename Types::Layers>;

 public:
  /// First values as Hugging Face draws them: N(0, initializer_range²), norms 1, biases 0.
  explicit LlamaForCausalLMWithGNN(Rng rng) requires(!std::is_same_v<Config, Dynamic>)
      : LlamaForCausalLMWithGNN(Config::llama, Config::gnn, rng) {}

  /// With run-time choices; extents that the type knows must agree.
  LlamaForCausalLMWithGNN(const LlamaConfig& llama, const GNNConfig& gnn, Rng rng)
      : Base(make_layers(llama, gnn), model_options(llama)), llama_(llama), gnn_(gnn) {
    this->initialize(rng);
  }

  const LlamaConfig& llama_config() const { return llama_; }
  const GNNConfig& gnn_config() const { return gnn_; }

 private:
  static typename Types::Layers make_layers(const LlamaConfig& llama, const GNNConfig& gnn) {
    return typename Types::Layers([&](int) { return make_decoder_layer<Config, T_, DeviceType>(llama, gnn); },
                                  llama.num_hidden_layers);
  }

  LlamaConfig llama_;
  GNNConfig gnn_;
};

}  // namespace weft
