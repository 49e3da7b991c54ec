// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the feed-forward blocks that use an adjacency have in common: options, numbers for each head, checks.
#pragma once

#include <vector>

#include "weft/layers/linear.hpp"
#include "weft/ops/activation/activation_kind.hpp"

namespace weft {

/// The run-time choices of `LlamaMLP_HalfwayGIN` and `LlamaMLP_MultiHop`. Extents are needed only where the type leaves
/// them `Dyn`.
struct AdjacencyMLPOptions {
  Activation activation = Activation::silu;  ///< `hidden_act`
  bool bias = false;                         ///< `mlp_bias`
  Index hidden_size = 0;
  Index intermediate_size = 0;
  Index heads = 0;  ///< of the adjacency: `num_attention_heads`
};

/// One number for each head: `epsilons.{head}`, `alphas.{head}`.
template <class T, class DeviceType>
using HeadNumbers = std::vector<Parameter<T, Shape<>, DeviceType>>;

namespace detail {

template <class T, class DeviceType>
HeadNumbers<T, DeviceType> make_head_numbers(Index heads, double value) {
  HeadNumbers<T, DeviceType> numbers;
  numbers.reserve(static_cast<std::size_t>(heads));
  for (Index head = 0; head < heads; ++head) {
    numbers.emplace_back(Shape<>());
    fill_constant(numbers.back(), static_cast<T>(value));
  }
  return numbers;
}

template <class Layers>
void visit_heads(Layers& layers, const auto& visit, const std::string& name) {
  for (std::size_t head = 0; head < layers.size(); ++head) {
    if constexpr (requires { layers[head].gradient_slot(); }) {
      visit(ParameterName(concat(name, ".", head)), layers[head]);
    } else {
      std::remove_reference_t<decltype(layers[head])>::visit_values(layers[head], visit, concat(name, ".", head, "."));
    }
  }
}

template <class LinearType>
std::vector<LinearType> make_head_linears(Index heads, bool bias, Index in_features, Index out_features) {
  std::vector<LinearType> layers;
  layers.reserve(static_cast<std::size_t>(heads));
  for (Index head = 0; head < heads; ++head) layers.emplace_back(bias, in_features, out_features);
  return layers;
}

template <class Layers>
void initialize_heads(Layers& layers, Rng& rng, double standard_deviation) {
  for (auto& layer : layers) layer.initialize(rng, standard_deviation);
}

/// width / heads, or an error (quirk F8).
inline Index split_among_heads(std::string_view owner, std::string_view what, Index width, Index heads) {
  if (width % heads != 0) {
    fail(concat(owner, ": ", what, " must be a multiple of heads, found ", width, " and ", heads));
  }
  return width / heads;
}

/// Whether an adjacency has the layer's heads.
template <class Weights>
void expect_heads(std::string_view owner, const Weights& weights, Index heads) {
  static_assert(ShapeOf<Weights>::rank == 4, "the weights of the adjacency must be [batch, heads, tokens, keys]");
  if (weights.extent(1) != heads) {
    fail(concat(owner, ": the weights must be [batch, ", heads, " heads, tokens, keys], found ",
                weights.shape().text()));
  }
}

}  // namespace detail

}  // namespace weft
