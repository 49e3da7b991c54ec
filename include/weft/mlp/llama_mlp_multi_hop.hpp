// SPDX-License-Identifier: Apache-2.0
/// \file
/// A gated feed-forward block for each head that sees what lies up to three steps away in an adjacency.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "weft/layers/extent_rules.hpp"
#include "weft/mlp/head_parameters.hpp"
#include "weft/mlp/hop_levels.hpp"
#include "weft/ops/add/add.hpp"
#include "weft/ops/gated_product/gated_product.hpp"
#include "weft/ops/grouped_linear/grouped_linear.hpp"

namespace weft {

/// For the channels x of head k: down(act(gate x) * z) with z = P up(x), P = (1 + ε) I + α₁ A + α₂ A² + α₃ A³
/// (LlamaMLP_MultiHop); heads side by side. The steps along A commute with the linear map, so they are taken on x, which has
/// hidden / heads channels instead of intermediate: z = W_up (P x) + (P 1) b_up. Needs hidden_size % heads == 0; head_dim
/// has no say (quirk F8). Parameters: `head_gate_projs.{k}`, `head_up_projs.{k}` [intermediate, hidden / heads],
/// `head_down_projs.{k}` [hidden / heads, intermediate], `epsilons.{k}` = 0, `alphas_1.{k}` = 1, `alphas_2.{k}` = 0.5,
/// `alphas_3.{k}` = 0.1.
template <auto HiddenSize, auto IntermediateSize, auto Heads, class T = float, class DeviceType = Cpu>
class LlamaMLP_MultiHop {
  static_assert(MultipleOf<HiddenSize, Heads>, "LlamaMLP_MultiHop: hidden_size must be a multiple of heads");
  static constexpr auto kHeadWidth = divide_extents<HiddenSize, Heads>();
  using Up = Linear<kHeadWidth, IntermediateSize, T, DeviceType>;
  using Down = Linear<IntermediateSize, kHeadWidth, T, DeviceType>;

 public:
  std::vector<Up> head_gate_projs;
  std::vector<Up> head_up_projs;
  std::vector<Down> head_down_projs;
  HeadNumbers<T, DeviceType> epsilons;
  HeadNumbers<T, DeviceType> alphas_1;
  HeadNumbers<T, DeviceType> alphas_2;
  HeadNumbers<T, DeviceType> alphas_3;

  explicit LlamaMLP_MultiHop(const AdjacencyMLPOptions& options = {}) : activation_(options.activation) {
    heads_ = resolve_extent<Heads>(options.heads, "LlamaMLP_MultiHop: heads");
    hidden_size_ = resolve_extent<HiddenSize>(options.hidden_size, "LlamaMLP_MultiHop: hidden_size");
    const Index width = detail::split_among_heads("LlamaMLP_MultiHop", "hidden_size", hidden_size_, heads_);
    head_gate_projs = detail::make_head_linears<Up>(heads_, options.bias, width, options.intermediate_size);
    head_up_projs = detail::make_head_linears<Up>(heads_, options.bias, width, options.intermediate_size);
    head_down_projs = detail::make_head_linears<Down>(heads_, options.bias, options.intermediate_size, width);
    epsilons = detail::make_head_numbers<T, DeviceType>(heads_, 0);
    alphas_1 = detail::make_head_numbers<T, DeviceType>(heads_, 1);
    alphas_2 = detail::make_head_numbers<T, DeviceType>(heads_, 0.5);
    alphas_3 = detail::make_head_numbers<T, DeviceType>(heads_, 0.1);
  }

  /// \param x         [batch, tokens, hidden]
  /// \param weights   [batch, heads, tokens, tokens]: the adjacency; gradients flow into it
  /// \param residual  [batch, tokens, hidden], added to the result, or `none`
  template <class Context, class X, class Weights, class Residual = None>
  auto operator()(Context& context, const X& x, const Weights& weights, const Residual& residual = none) const {
    detail::expect_heads("LlamaMLP_MultiHop", weights, heads_);
    const auto reached = hop_sum(context, weights, x, epsilons, hops());
    if (!has_bias()) return finish(context, x, grouped_linear(context, reached, head_up_projs), residual);
    const auto ones = ones_like_heads(context, x);
    const auto counts = hop_sum(context, weights, ones, epsilons, hops());
    return finish(context, x, grouped_linear(context, reached, head_up_projs, counts), residual);
  }

  /// A row of the result depends on the rows of the adjacency and of x up to its own.
  bool incremental() const { return true; }

  /// Values that a token leaves in a cache: the steps of x and, where the projections have biases, those of a constant.
  Index cache_width() const { return 3 * hidden_size_ + (has_bias() ? 3 * heads_ : 0); }
  /// Room for `capacity` tokens of `batch` texts.
  RowCache<T> make_cache(Index batch, Index capacity) const { return {batch, capacity, cache_width()}; }

  /// The same for new tokens, given the earlier ones in the cache, to which the new ones are added.
  ///
  /// \param x        [batch, new tokens, hidden]
  /// \param weights  [batch, heads, new tokens, cached + new tokens]
  template <class X, class Weights, class Residual = None>
  auto decode(BasicInference<DeviceType>& context, const X& x, const Weights& weights, RowCache<T>& cache,
              const Residual& residual = none) const {
    detail::expect_heads("LlamaMLP_MultiHop", weights, heads_);
    cache.expect_room_for("LlamaMLP_MultiHop", x.extent(0), x.extent(1));
    const auto reached = hop_sum_step(context, weights, x, epsilons, hops(), hop_levels(cache, 3, hidden_size_));
    if (!has_bias()) {
      cache.advance(x.extent(1));
      return finish(context, x, grouped_linear(context, reached, head_up_projs), residual);
    }
    const auto ones = ones_like_heads(context, x);
    const HopLevels<T> constant = hop_levels(cache, 3, heads_, 3 * hidden_size_);
    const auto counts = hop_sum_step(context, weights, ones, epsilons, hops(), constant);
    cache.advance(x.extent(1));
    return finish(context, x, grouped_linear(context, reached, head_up_projs, counts), residual);
  }

  void initialize(Rng& rng, double standard_deviation) {
    detail::initialize_heads(head_gate_projs, rng, standard_deviation);
    detail::initialize_heads(head_up_projs, rng, standard_deviation);
    detail::initialize_heads(head_down_projs, rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    detail::visit_heads(self.head_gate_projs, visit, prefix + "head_gate_projs");
    detail::visit_heads(self.head_up_projs, visit, prefix + "head_up_projs");
    detail::visit_heads(self.head_down_projs, visit, prefix + "head_down_projs");
    detail::visit_heads(self.epsilons, visit, prefix + "epsilons");
    detail::visit_heads(self.alphas_1, visit, prefix + "alphas_1");
    detail::visit_heads(self.alphas_2, visit, prefix + "alphas_2");
    detail::visit_heads(self.alphas_3, visit, prefix + "alphas_3");
  }

 private:
  bool has_bias() const { return head_up_projs.front().bias.has_value(); }

  std::array<const HeadNumbers<T, DeviceType>*, 3> hops() const { return {&alphas_1, &alphas_2, &alphas_3}; }

  template <class Context, class X>
  auto ones_like_heads(Context& context, const X& x) const {
    auto ones = context.template make<T>(Shape<Dyn, Dyn, Dyn>(x.extent(0), x.extent(1), heads_), false);
    std::fill_n(ones.data(), ones.size(), T{1});
    return ones;
  }

  template <class Context, class X, class Z, class Residual>
  auto finish(Context& context, const X& x, const Z& z, const Residual& residual) const {
    const auto gate = grouped_linear(context, x, head_gate_projs);
    const auto y = grouped_linear<HiddenSize>(context, gated_product(context, gate, z, activation_), head_down_projs);
    if constexpr (std::is_same_v<Residual, None>) {
      return y;
    } else {
      return add(context, y, residual);
    }
  }

  Activation activation_;
  Index heads_;
  Index hidden_size_;
};

}  // namespace weft
