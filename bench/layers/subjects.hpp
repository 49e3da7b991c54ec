// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is measured, behind one interface: `operator()` for a text, and `make_state`, `step` and `forget_last` for decoding.
#pragma once

#include <cmath>
#include <utility>

#include "weft/attention/cached_attention.hpp"
#include "weft/attention/remembered_rows.hpp"
#include "weft/layers/linear.hpp"
#include "weft/layers/row_cache.hpp"
#include "weft/models/kv_cache.hpp"
#include "weft/ops/rotary/rotary.hpp"

#include "layers/setting.hpp"

namespace bench {

using weft::Dyn;
using Inputs = weft::AttentionInputs<float>;
using KVCache = weft::KVCache<float>;

/// An attention layer.
template <class Layer>
struct AttentionSubject {
  Layer layer;

  template <class Context, class X>
  auto operator()(Context& context, const X& x, const Inputs& inputs) const {
    return layer(context, x, inputs);
  }

  void initialize(weft::Rng& rng, double standard_deviation) { layer.initialize(rng, standard_deviation); }

  bool decodes() const {
    if constexpr (requires { layer.incremental(); }) {
      return layer.incremental();
    } else {
      return true;
    }
  }
  KVCache make_state(Index capacity) const { return {1, 1, capacity, layer.key_width(), layer.value_width()}; }

  template <class X>
  auto step(weft::Inference& context, const X& x, Inputs inputs, KVCache& state) const {
    inputs.cache = state.layer(0);
    const auto y = layer(context, x, inputs);
    state.advance(x.extent(1));
    return y;
  }
  static void forget_last(KVCache& state) { state.truncate(state.length() - 1); }

  /// Bytes that a token leaves in the cache.
  Index state_bytes() const { return (layer.key_width() + layer.value_width()) * Index{sizeof(float)}; }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    weft::for_each_parameter(self.layer, visit, prefix);
  }
};

/// A layer that works on each token alone.
template <class Layer>
struct TokenSubject {
  struct State {};
  Layer layer;

  template <class Context, class X>
  auto operator()(Context& context, const X& x, const Inputs& /*inputs*/) const {
    return layer(context, x);
  }
  void initialize(weft::Rng& rng, double standard_deviation) { layer.initialize(rng, standard_deviation); }

  static bool decodes() { return true; }
  static State make_state(Index /*capacity*/) { return {}; }
  template <class X>
  auto step(weft::Inference& context, const X& x, const Inputs& /*inputs*/, State& /*state*/) const {
    return layer(context, x);
  }
  static void forget_last(State& /*state*/) {}
  static Index state_bytes() { return 0; }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    weft::for_each_parameter(self.layer, visit, prefix);
  }
};

/// softmax(q kᵀ / sqrt(head_dim)) as an array: what feed-forward blocks along an adjacency are given.
class DenseWeights {
 public:
  weft::Linear<Dyn, Dyn> q_proj;
  weft::Linear<Dyn, Dyn> k_proj;

  explicit DenseWeights(const Setting& s)
      : q_proj(false, s.hidden, s.hidden),
        k_proj(false, s.hidden, s.hidden),
        heads_{s.heads, s.heads, 1 / std::sqrt(static_cast<double>(s.head_dim()))} {}

  template <class Context, class X>
  auto operator()(Context& context, const X& x, const Inputs& inputs) const {
    const auto q = weft::rotary_embedding_in_place(context, q_proj(context, x), inputs.cos, inputs.sin, heads_.heads);
    const auto k = weft::rotary_embedding_in_place(context, k_proj(context, x), inputs.cos, inputs.sin, heads_.heads);
    weft::remembered_keys(context, k, inputs.cache);
    return weft::dense_attention_weights(context, q, k, weft::none, inputs, heads_);
  }

  void initialize(weft::Rng& rng, double standard_deviation) {
    q_proj.initialize(rng, standard_deviation);
    k_proj.initialize(rng, standard_deviation);
  }

 private:
  weft::AttentionHeads heads_;
};

/// A feed-forward block along an adjacency, together with the weights of an attention that it needs.
template <class Block>
struct AdjacencySubject {
  DenseWeights weights;
  Block layer;

  template <class Context, class X>
  auto operator()(Context& context, const X& x, const Inputs& inputs) const {
    return layer(context, x, weights(context, x, inputs));
  }

  void initialize(weft::Rng& rng, double standard_deviation) {
    weights.initialize(rng, standard_deviation);
    layer.initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    weft::for_each_parameter(self.weights.q_proj, visit, prefix + "q_proj.");
    weft::for_each_parameter(self.weights.k_proj, visit, prefix + "k_proj.");
    weft::for_each_parameter(self.layer, visit, prefix);
  }
};

/// Such a block that can also be computed token by token.
template <class Block>
struct DecodingAdjacencySubject : AdjacencySubject<Block> {
  struct State {
    KVCache keys;
    weft::RowCache<float> hops;
  };

  static bool decodes() { return true; }
  State make_state(Index capacity) const {
    return {KVCache(1, 1, capacity, key_width(), 0), this->layer.make_cache(1, capacity)};
  }
  template <class X>
  auto step(weft::Inference& context, const X& x, Inputs inputs, State& state) const {
    inputs.cache = state.keys.layer(0);
    const auto y = this->layer.decode(context, x, this->weights(context, x, inputs), state.hops);
    state.keys.advance(x.extent(1));
    return y;
  }
  static void forget_last(State& state) {
    state.keys.truncate(state.keys.length() - 1);
    state.hops.advance(-1);
  }
  Index state_bytes() const { return (key_width() + this->layer.cache_width()) * Index{sizeof(float)}; }

 private:
  Index key_width() const { return this->weights.k_proj.weight.extent(0); }
};

}  // namespace bench
