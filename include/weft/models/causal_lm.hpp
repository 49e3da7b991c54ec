// SPDX-License-Identifier: Apache-2.0
/// \file
/// A language model: embedding, a stack of decoder layers, a norm and a head.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "weft/layers/embedding.hpp"
#include "weft/layers/linear.hpp"
#include "weft/layers/rms_norm.hpp"
#include "weft/layers/rotary_embedding.hpp"
#include "weft/mlp/any_mlp.hpp"
#include "weft/models/additional_adjacency.hpp"
#include "weft/models/decoder_layer.hpp"
#include "weft/models/kv_cache.hpp"
#include "weft/models/llama_config.hpp"
#include "weft/models/packed_sequences.hpp"
#include "weft/models/stack.hpp"
#include "weft/ops/cross_entropy/cross_entropy.hpp"

namespace weft {

/// The number of tokens a model knows: `Vocab<256>` for bytes.
template <auto Size>
struct Vocab {
  static constexpr auto size = Size;
};

/// The run-time choices of a language model. The last two are needed only where the type leaves them `Dyn`.
struct CausalLMOptions {
  double rms_norm_eps = 1e-5;            ///< of the last norm; layers have their own
  double rope_theta = 10000;             ///< base of the rotary frequencies
  RopeScaling rope_scaling{};            ///< for texts longer than those of training
  Index max_position_embeddings = 2048;  ///< where the `dynamic` scaling of the frequencies begins
  bool tie_word_embeddings = false;      ///< the head shares the embedding's weights
  double initializer_range = 0.02;       ///< standard deviation of the first weights
  Index padding_id = -1;                 ///< token whose embedding starts as 0 and is not trained; -1: none
  TokenIds eos_token_id{};               ///< tokens that end a text: `generate` stops after them
  Index vocab_size = 0;
  Index hidden_size = 0;
};

/// What a model is given beside token ids; everything may be left out.
struct ModelInputs {
  const std::int32_t* attention_mask = nullptr;  ///< [batch, tokens + cached]: 1 = token, 0 = padding
  std::span<const Index> position_ids = {};  ///< [tokens] or [batch * tokens]; 0, 1, 2, ... after the cache otherwise
  const PackedSequences* packed = nullptr;   ///< several sequences in a row; without mask and cache

  /// [batch, tokens, tokens], with `gnn_mode` per_head [batch, heads, tokens, tokens]: min(additional_adj, 1) is added to the
  /// adjacency of every layer's graph network, behind its mask and causal cut, row = query (quirk D13). A tensor of the
  /// model's element type, which must outlive the step on a tape; without cache.
  AdditionalAdjacency additional_adj = {};
};

/// Token embedding, decoder layers and final norm (LlamaModel). Names: `embed_tokens`, `layers.{l}`, `norm`.
template <class VocabType, class StackType>
class DecoderModel {
 public:
  using Layer = typename StackType::Layer;
  using T = typename Layer::Element;
  using Device = typename Layer::Device;

  Embedding<VocabType::size, Layer::kHiddenSize, T, Device> embed_tokens;
  StackType layers;
  RMSNorm<Layer::kHiddenSize, T, Device> norm;

  explicit DecoderModel(StackType stack, const CausalLMOptions& options = {})
      : embed_tokens(options.vocab_size, options.hidden_size, options.padding_id),
        layers(std::move(stack)),
        norm(options.rms_norm_eps, options.hidden_size),
        rotary_(layers[0].self_attn.head_dim(), options.rope_theta, options.max_position_embeddings,
                options.rope_scaling),
        options_(options) {}

  /// \param ids    [batch, tokens], at least one of each
  /// \param cache  null, or what earlier tokens left; the new tokens are added (no derivatives)
  /// \return       [batch, tokens, hidden]: the normalised output of the last layer
  template <class Context, class Ids>
  auto operator()(Context& context, const Ids& ids, const ModelInputs& inputs = {}, KVCache<T>* cache = nullptr) const {
    return norm(context, run_layers(context, ids, inputs, cache, [](Index, const auto&) {}));
  }

  /// The same, calling `observe(l, hidden_states)` with the input of every layer l.
  template <class Context, class Ids, class Observe>
  auto run_layers(Context& context, const Ids& ids, const ModelInputs& inputs, KVCache<T>* cache,
                  Observe&& observe) const {
    static_assert(ShapeOf<Ids>::rank == 2, "model(context, ids): ids must be [batch, tokens]");
    AttentionInputs<T> shared = attention_inputs(context, ids.extent(0), ids.extent(1), inputs, cache);
    auto x = embed_tokens(context, ids);
    for (Index l = 0; l < layers.size(); ++l) {
      if (cache != nullptr) shared.cache = cache->layer(l);
      observe(l, x);
      x = context.evolve(x, [&](const auto& hidden) { return layers[l](context, hidden, shared); });
    }
    if (cache != nullptr) cache->advance(ids.extent(1));
    return x;
  }

  /// Rotary tables and masks for a batch, in the context's memory.
  template <class Context>
  AttentionInputs<T> attention_inputs(Context& context, Index batch, Index tokens, const ModelInputs& inputs,
                                      const KVCache<T>* cache = nullptr) const {
    if (batch < 1 || tokens < 1) {
      fail(concat("model(context, ids): ids must be [batch, tokens] with at least one text and one token, found ",
                  Shape<Dyn, Dyn>(batch, tokens).text()));
    }
    if (cache != nullptr) {
      if (Context::records) fail("model(tape, ids, cache): a cache serves inference only; use an Inference context");
      if (cache->batch() != batch) {
        fail(concat("model(context, ids, cache): the cache holds ", cache->batch(), " texts, ids ", batch));
      }
      cache->expect_room_for(tokens);
    }
    AttentionInputs<T> shared;
    shared.causal = true;
    shared.key_valid = inputs.attention_mask;
    if (inputs.additional_adj) {
      if (cache != nullptr) fail("model(context, ids, cache): additional_adj is not supported with a cache");
      expect_additional(inputs.additional_adj.shape(), batch, tokens);
      shared.additional_adj = inputs.additional_adj.template values<T>();
    }
    std::span<const Index> positions = inputs.position_ids;
    if (inputs.packed != nullptr) {
      expect_packing(inputs, batch, tokens, cache);
      shared.first_key = inputs.packed->first_key();
      if (positions.empty()) positions = inputs.packed->position_ids();
    }
    if (positions.empty()) {
      Index* counted = context.workspace().template allocate<Index>(tokens);
      for (Index t = 0; t < tokens; ++t) counted[t] = (cache != nullptr ? cache->length() : 0) + t;
      positions = {counted, static_cast<std::size_t>(tokens)};
    }
    const auto rows = static_cast<Index>(positions.size());
    if (rows != tokens && rows != batch * tokens) {
      fail(concat("model(context, ids): position_ids must have ", tokens, " or ", batch * tokens, " values, found ",
                  rows));
    }
    const Index head_dim = rotary_.head_dim();
    const Shape<Dyn, Dyn, Dyn> shape(rows / tokens, tokens, head_dim);
    T* cos = context.workspace().template allocate<T>(shape.size());
    T* sin = context.workspace().template allocate<T>(shape.size());
    rotary_.fill(positions, cos, sin);
    shared.cos = {cos, shape};
    shared.sin = {sin, shape};
    return shared;
  }

  /// Whether every layer can go on from what it remembers of earlier tokens, and none of it changes as the text grows, as keys
  /// do with `dynamic` rotary scaling. Where not, a new token recomputes the text.
  bool incremental() const { return layers[0].incremental() && rotary_.incremental(); }

  /// Room for `capacity` tokens of `batch` texts. An error where the layers are not incremental.
  KVCache<T> make_cache(Index batch, Index capacity) const {
    if (!incremental()) {
      fail(
          "model.make_cache(batch, capacity): layers of this model look at the whole text for each token, or its "
          "rotary scaling is dynamic; run it on the whole text, without a cache, as generate does");
    }
    const Layer& layer = layers[0];
    return KVCache<T>(layers.size(), batch, capacity, layer.self_attn.key_width(), layer.self_attn.value_width(),
                      block_cache_width(layer.mlp), graph_cache_width());
  }

  void initialize(Rng& rng) {
    embed_tokens.initialize(rng, options_.initializer_range);
    layers.initialize(rng, options_.initializer_range);
  }

  const CausalLMOptions& options() const { return options_; }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.embed_tokens, visit, prefix + "embed_tokens.");
    for_each_parameter(self.layers, visit, prefix + "layers.");
    for_each_parameter(self.norm, visit, prefix + "norm.");
  }

 private:
  /// The matrices of an adjacency of one layer's graph network; 0 without one.
  Index graph_maps() const {
    if constexpr (requires { layers[0].graph_maps(); }) {
      return layers[0].graph_maps();
    } else {
      return 0;
    }
  }

  /// Values that a token leaves for one layer's graph network.
  Index graph_cache_width() const {
    if constexpr (requires { layers[0].graph_cache_width(); }) {
      return layers[0].graph_cache_width();
    } else {
      return 0;
    }
  }

  void expect_additional(const AdditionalAdjacency::Shape& found, Index batch, Index tokens) const {
    const Index maps = graph_maps();
    if (maps == 0) {
      fail(
          "model(context, ids): additional_adj is for the graph networks of gnn_mode \"single\" and \"per_head\"; this "
          "model has none");
    }
    const AdditionalAdjacency::Shape expected(batch, maps, tokens, tokens);
    if (!(found == expected)) {
      fail(concat("model(context, ids): additional_adj must be [batch, maps, tokens, tokens], here ", expected.text(),
                  ", or without the axis of one map, found ", found.text()));
    }
  }

  void expect_packing(const ModelInputs& inputs, Index batch, Index tokens, const KVCache<T>* cache) const {
    if (cache != nullptr) fail("model(context, ids, cache): packed sequences are not supported with a cache");
    if (inputs.attention_mask != nullptr) {
      fail("model(context, ids): packed sequences need no attention_mask, found one");
    }
    if (inputs.packed->batch() != batch || inputs.packed->tokens() != tokens) {
      fail(concat("model(context, ids): packed describes ", inputs.packed->batch(), " rows of ",
                  inputs.packed->tokens(), " tokens, ids has ", batch, " of ", tokens));
    }
    const auto positions = inputs.packed->position_ids();
    const Index longest = 1 + *std::max_element(positions.begin(), positions.end());
    if (!rotary_.incremental() && longest > options_.max_position_embeddings) {
      fail(concat(
          "model(context, ids): with dynamic rotary scaling the frequencies follow the longest sequence, so that "
          "packed ones must not exceed max_position_embeddings = ",
          options_.max_position_embeddings, ", found one of ", longest, " tokens"));
    }
  }

  RotaryEmbedding rotary_;
  CausalLMOptions options_;
};

/// A decoder model with a head that scores the next token (LlamaForCausalLM). Names: `model.*`, `lm_head.weight` unless
/// the head shares the embedding's weights.
///
///     using Block = weft::DecoderLayer<64, weft::LlamaAttentionGIN<64, 4>, weft::LlamaMLP<64, 128>>;
///     weft::CausalLM<weft::Vocab<256>, weft::Stack<Block, 6>> model(weft::Rng{42});
template <class VocabType, class StackType>
class CausalLM {
 public:
  using Model = DecoderModel<VocabType, StackType>;
  using T = typename Model::T;
  using Element = T;
  using Device = typename Model::Device;
  static constexpr auto kVocabSize = VocabType::size;
  static constexpr auto kHiddenSize = Model::Layer::kHiddenSize;

  Model model;
  std::optional<Linear<kHiddenSize, kVocabSize, T, Device>> lm_head;  ///< empty when tied

  /// Equal default-constructed layers, first values from `rng`.
  explicit CausalLM(Rng rng, const CausalLMOptions& options = {}) : CausalLM(StackType(), options) { initialize(rng); }

  /// Given layers; the first values are theirs, the rest zero until `initialize` or a checkpoint sets them.
  explicit CausalLM(StackType stack, const CausalLMOptions& options = {}) : model(std::move(stack), options) {
    if (!options.tie_word_embeddings) lm_head.emplace(false, options.hidden_size, options.vocab_size);
  }

  /// \param ids  [batch, tokens], at least one of each
  /// \return     logits [batch, tokens, vocab]
  template <class Context, class Ids>
  auto operator()(Context& context, const Ids& ids, const ModelInputs& inputs = {}, KVCache<T>* cache = nullptr) const {
    return logits(context, model(context, ids, inputs, cache));
  }

  /// The scores of every token after the given hidden states [..., hidden].
  template <class Context, class Hidden>
  auto logits(Context& context, const Hidden& hidden) const {
    return lm_head ? (*lm_head)(context, hidden) : linear(context, hidden, model.embed_tokens.weight);
  }

  /// The mean cross-entropy of predicting each next token: label t + 1 from position t (Hugging Face's shift); labels
  /// equal to `ignore_index` do not count.
  template <class Context, class Ids, class Labels>
  auto loss(Context& context, const Ids& ids, const Labels& labels, const ModelInputs& inputs = {}) const {
    return cross_entropy(context, (*this)(context, ids, inputs), labels, CrossEntropyOptions{.shift = true});
  }

  void initialize(Rng& rng) {
    model.initialize(rng);
    if (lm_head) lm_head->initialize(rng, model.options().initializer_range);
  }

  /// Room for `capacity` tokens of `batch` texts. An error where the layers are not incremental.
  KVCache<T> make_cache(Index batch, Index capacity) const { return model.make_cache(batch, capacity); }
  bool incremental() const { return model.incremental(); }
  Index vocab_size() const { return model.embed_tokens.weight.extent(0); }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.model, visit, prefix + "model.");
    if (self.lm_head) for_each_parameter(*self.lm_head, visit, prefix + "lm_head.");
  }
};

}  // namespace weft
