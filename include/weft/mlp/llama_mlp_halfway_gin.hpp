// SPDX-License-Identifier: Apache-2.0
/// \file
/// The gated feed-forward block with a step of a graph isomorphism network between its two halves.
#pragma once

#include <array>

#include "weft/layers/extent_rules.hpp"
#include "weft/mlp/head_parameters.hpp"
#include "weft/mlp/hop_levels.hpp"
#include "weft/ops/gated_product/gated_product.hpp"

namespace weft {

/// down_proj(v) with u = act(gate_proj x) * up_proj x and, for the channels of head k, v = (1 + εₖ) u + αₖ Aₖ u
/// (LlamaMLP_HalfwayGIN). Here the self term is 1 + ε. Needs intermediate_size % heads == 0.
/// Parameters: `gate_proj`, `up_proj` [intermediate, hidden], `down_proj` [hidden, intermediate], `epsilons.{k}` = 0,
/// `alphas.{k}` = 1.
template <auto HiddenSize, auto IntermediateSize, auto Heads, class T = float, class DeviceType = Cpu>
class LlamaMLP_HalfwayGIN {
  static_assert(MultipleOf<IntermediateSize, Heads>,
                "LlamaMLP_HalfwayGIN: intermediate_size must be a multiple of heads");

 public:
  Linear<HiddenSize, IntermediateSize, T, DeviceType> gate_proj;
  Linear<HiddenSize, IntermediateSize, T, DeviceType> up_proj;
  Linear<IntermediateSize, HiddenSize, T, DeviceType> down_proj;
  HeadNumbers<T, DeviceType> epsilons;
  HeadNumbers<T, DeviceType> alphas;

  explicit LlamaMLP_HalfwayGIN(const AdjacencyMLPOptions& options = {})
      : gate_proj(options.bias, options.hidden_size, options.intermediate_size),
        up_proj(options.bias, options.hidden_size, options.intermediate_size),
        down_proj(options.bias, options.intermediate_size, options.hidden_size),
        activation_(options.activation),
        heads_(resolve_extent<Heads>(options.heads, "LlamaMLP_HalfwayGIN: heads")) {
    detail::split_among_heads("LlamaMLP_HalfwayGIN", "intermediate_size", up_proj.weight.extent(0), heads_);
    epsilons = detail::make_head_numbers<T, DeviceType>(heads_, 0);
    alphas = detail::make_head_numbers<T, DeviceType>(heads_, 1);
  }

  /// \param x         [batch, tokens, hidden]
  /// \param weights   [batch, heads, tokens, tokens]: the adjacency; gradients flow into it
  /// \param residual  [batch, tokens, hidden], added to the result, or `none`
  template <class Context, class X, class Weights, class Residual = None>
  auto operator()(Context& context, const X& x, const Weights& weights, const Residual& residual = none) const {
    detail::expect_heads("LlamaMLP_HalfwayGIN", weights, heads_);
    const auto u = gated_product(context, gate_proj(context, x), up_proj(context, x), activation_);
    return down_proj(context, hop_sum(context, weights, u, epsilons, hops()), residual);
  }

  /// A row of the result depends on the rows of the adjacency and of x up to its own.
  bool incremental() const { return true; }

  /// Values that a token leaves in a cache: u.
  Index cache_width() const { return up_proj.weight.extent(0); }
  /// Room for `capacity` tokens of `batch` texts.
  RowCache<T> make_cache(Index batch, Index capacity) const { return {batch, capacity, cache_width()}; }

  /// The same for new tokens, given the earlier ones in the cache, to which the new ones are added.
  ///
  /// \param x        [batch, new tokens, hidden]
  /// \param weights  [batch, heads, new tokens, cached + new tokens]
  template <class X, class Weights, class Residual = None>
  auto decode(BasicInference<DeviceType>& context, const X& x, const Weights& weights, RowCache<T>& cache,
              const Residual& residual = none) const {
    detail::expect_heads("LlamaMLP_HalfwayGIN", weights, heads_);
    cache.expect_room_for("LlamaMLP_HalfwayGIN", x.extent(0), x.extent(1));
    const auto u = gated_product(context, gate_proj(context, x), up_proj(context, x), activation_);
    const auto v = hop_sum_step(context, weights, u, epsilons, hops(), hop_levels(cache, 1, cache_width()));
    cache.advance(x.extent(1));
    return down_proj(context, v, residual);
  }

  void initialize(Rng& rng, double standard_deviation) {
    gate_proj.initialize(rng, standard_deviation);
    up_proj.initialize(rng, standard_deviation);
    down_proj.initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.gate_proj, visit, prefix + "gate_proj.");
    for_each_parameter(self.up_proj, visit, prefix + "up_proj.");
    for_each_parameter(self.down_proj, visit, prefix + "down_proj.");
    detail::visit_heads(self.epsilons, visit, prefix + "epsilons");
    detail::visit_heads(self.alphas, visit, prefix + "alphas");
  }

 private:
  std::array<const HeadNumbers<T, DeviceType>*, 1> hops() const { return {&alphas}; }

  Activation activation_;
  Index heads_;
};

}  // namespace weft
