// SPDX-License-Identifier: Apache-2.0
/// \file
/// The gated feed-forward block with several aggregates along an adjacency between its two halves.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "weft/layers/extent_rules.hpp"
#include "weft/layers/row_cache.hpp"
#include "weft/mlp/head_parameters.hpp"
#include "weft/mlp/multi_aggregation_options.hpp"
#include "weft/ops/activation/activation.hpp"
#include "weft/ops/gated_product/gated_product.hpp"
#include "weft/ops/grouped_linear/grouped_linear.hpp"
#include "weft/ops/head_features/head_features.hpp"
#include "weft/ops/neighbour_max/neighbour_max.hpp"
#include "weft/ops/offset_attention/offset_attention.hpp"

namespace weft {

/// down_proj(v) with u = act(gate_proj x) * up_proj x and, for the channels of head k, v = MLP([o, s, m, t]):
/// o = (1 + ε) u, s = α A u, m = u or the largest neighbour, t = softmax((Q u)(K u)ᵀ / √d + log(A + 1e-9)) u with
/// d = intermediate / heads (LlamaMLP_HalfwayGIN_MultiAggregation). Needs intermediate_size % heads == 0. With the soft mask
/// of the reference later tokens change earlier rows (quirk F4), so that a text is computed anew for each token that is
/// generated; `FutureMask::hard` repairs that.
/// Parameters: `gate_proj`, `up_proj`, `down_proj`, `epsilons.{k}` = 0, `alphas.{k}` = 1, `attn_query_projs.{k}.weight`,
/// `attn_key_projs.{k}.weight` [d, d], `aggregator_mlp.0` [d, 4 d], `aggregator_mlp.2` [d, d], shared by all heads.
template <auto HiddenSize, auto IntermediateSize, auto Heads, class T = float, class DeviceType = Cpu>
class LlamaMLP_HalfwayGIN_MultiAggregation {
  static_assert(MultipleOf<IntermediateSize, Heads>,
                "LlamaMLP_HalfwayGIN_MultiAggregation: intermediate_size must be a multiple of heads");
  static constexpr auto kHeadWidth = divide_extents<IntermediateSize, Heads>();
  using HeadLinear = Linear<kHeadWidth, kHeadWidth, T, DeviceType>;
  using CombiningLinear = Linear<multiply_extents<4, kHeadWidth>(), kHeadWidth, T, DeviceType>;

 public:
  Linear<HiddenSize, IntermediateSize, T, DeviceType> gate_proj;
  Linear<HiddenSize, IntermediateSize, T, DeviceType> up_proj;
  Linear<IntermediateSize, HiddenSize, T, DeviceType> down_proj;
  HeadNumbers<T, DeviceType> epsilons;
  HeadNumbers<T, DeviceType> alphas;
  std::vector<HeadLinear> attn_query_projs;
  std::vector<HeadLinear> attn_key_projs;
  std::optional<CombiningLinear> aggregator_mlp_0;
  std::optional<HeadLinear> aggregator_mlp_2;

  explicit LlamaMLP_HalfwayGIN_MultiAggregation(const MultiAggregationOptions& options = {})
      : gate_proj(options.bias, options.hidden_size, options.intermediate_size),
        up_proj(options.bias, options.hidden_size, options.intermediate_size),
        down_proj(options.bias, options.intermediate_size, options.hidden_size),
        options_(options) {
    const Index heads = resolve_extent<Heads>(options.heads, "LlamaMLP_HalfwayGIN_MultiAggregation: heads");
    options_.heads = heads;
    const Index width = detail::split_among_heads("LlamaMLP_HalfwayGIN_MultiAggregation", "intermediate_size",
                                                  up_proj.weight.extent(0), heads);
    epsilons = detail::make_head_numbers<T, DeviceType>(heads, 0);
    alphas = detail::make_head_numbers<T, DeviceType>(heads, 1);
    attn_query_projs = detail::make_head_linears<HeadLinear>(heads, false, width, width);
    attn_key_projs = detail::make_head_linears<HeadLinear>(heads, false, width, width);
    aggregator_mlp_0.emplace(options.bias, 4 * width, width);
    aggregator_mlp_2.emplace(options.bias, width, width);
  }

  /// \param x          [batch, tokens, hidden]
  /// \param weights    [batch, heads, tokens, tokens]: the adjacency; gradients flow into it
  /// \param residual   [batch, tokens, hidden], added to the result, or `none`
  /// \param first_key  [batch, tokens]: where each token's packed sequence begins (see PackedSequences), outside of which it
  ///                   attends to nothing, whatever the mask; must outlive the step on a tape. Null: one sequence a row
  template <class Context, class X, class Weights, class Residual = None>
  auto operator()(Context& context, const X& x, const Weights& weights, const Residual& residual = none,
                  const std::int32_t* first_key = nullptr) const {
    expect_weights(context, weights);
    const auto u = gated_product(context, gate_proj(context, x), up_proj(context, x), options_.activation);
    const auto q = grouped_linear<IntermediateSize>(context, u, attn_query_projs);
    const auto k = grouped_linear<IntermediateSize>(context, u, attn_key_projs);
    const auto attended =
        offset_attention(context, q, k, u, weights, scale(), options_.multiagg_future_mask, first_key);
    return combine(context, u, u, weights, attended, residual);
  }

  /// Whether a row of the result depends on rows up to its own alone: not with `FutureMask::soft_log`, the default.
  bool incremental() const { return options_.multiagg_future_mask == FutureMask::hard; }

  /// Values that a token leaves in a cache: u and K u.
  Index cache_width() const { return 2 * up_proj.weight.extent(0); }
  RowCache<T> make_cache(Index batch, Index capacity) const { return {batch, capacity, cache_width()}; }

  /// The same for new tokens, given the earlier ones in the cache, to which the new ones are added. An error where
  /// `incremental()` is false.
  ///
  /// \param x        [batch, new tokens, hidden]
  /// \param weights  [batch, heads, new tokens, cached + new tokens]
  template <class X, class Weights, class Residual = None>
  auto decode(BasicInference<DeviceType>& context, const X& x, const Weights& weights, RowCache<T>& cache,
              const Residual& residual = none) const {
    if (!incremental()) {
      fail(
          "LlamaMLP_HalfwayGIN_MultiAggregation: with FutureMask::soft_log later tokens change earlier rows; compute "
          "the "
          "whole text without a cache, or choose FutureMask::hard");
    }
    expect_weights(context, weights);
    cache.expect_room_for("LlamaMLP_HalfwayGIN_MultiAggregation", x.extent(0), x.extent(1));
    const auto u = gated_product(context, gate_proj(context, x), up_proj(context, x), options_.activation);
    const auto q = grouped_linear<IntermediateSize>(context, u, attn_query_projs);
    const CachedRows<T> all_u = cache.append(u, 0);
    const CachedRows<T> all_k = cache.append(grouped_linear<IntermediateSize>(context, u, attn_key_projs), all_u.width);
    cache.advance(x.extent(1));
    const auto attended = offset_attention(context, q, all_k, all_u, weights, scale(), options_.multiagg_future_mask);
    return combine(context, u, all_u, weights, attended, residual);
  }

  void initialize(Rng& rng, double standard_deviation) {
    gate_proj.initialize(rng, standard_deviation);
    up_proj.initialize(rng, standard_deviation);
    down_proj.initialize(rng, standard_deviation);
    detail::initialize_heads(attn_query_projs, rng, standard_deviation);
    detail::initialize_heads(attn_key_projs, rng, standard_deviation);
    aggregator_mlp_0->initialize(rng, standard_deviation);
    aggregator_mlp_2->initialize(rng, standard_deviation);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    for_each_parameter(self.gate_proj, visit, prefix + "gate_proj.");
    for_each_parameter(self.up_proj, visit, prefix + "up_proj.");
    for_each_parameter(self.down_proj, visit, prefix + "down_proj.");
    detail::visit_heads(self.epsilons, visit, prefix + "epsilons");
    detail::visit_heads(self.alphas, visit, prefix + "alphas");
    detail::visit_heads(self.attn_query_projs, visit, prefix + "attn_query_projs");
    detail::visit_heads(self.attn_key_projs, visit, prefix + "attn_key_projs");
    for_each_parameter(*self.aggregator_mlp_0, visit, prefix + "aggregator_mlp.0.");
    for_each_parameter(*self.aggregator_mlp_2, visit, prefix + "aggregator_mlp.2.");
  }

 private:
  template <class Context, class Weights>
  void expect_weights(Context& context, const Weights& weights) const {
    detail::expect_heads("LlamaMLP_HalfwayGIN_MultiAggregation", weights, options_.heads);
    if (options_.negative_weights == NegativeWeights::refuse && has_negative(context, weights)) {
      fail(
          "LlamaMLP_HalfwayGIN_MultiAggregation: the weights of the adjacency must not be negative, because their "
          "logarithm is taken; NegativeWeights::clamp (multiagg_negative_weights) treats negative ones as 0");
    }
  }

  double scale() const { return 1 / std::sqrt(static_cast<double>(attn_query_projs.front().weight.extent(0))); }

  /// The network on the four aggregates of each head, then `down_proj`. `all_u` are the rows that the adjacency's columns
  /// stand for: u, or everything in a cache.
  template <class Context, class U, class AllU, class Weights, class Attended, class Residual>
  auto combine(Context& context, const U& u, const AllU& all_u, const Weights& weights, const Attended& attended,
               const Residual& residual) const {
    const auto sum = head_aggregate(context, weights, all_u);
    const auto aggregates = [&](const auto& largest) {
      return head_features(context, u, sum, largest, attended, epsilons, alphas);
    };
    const auto features = options_.multiagg_max == MultiAggregationMax::self
                              ? aggregates(u)
                              : aggregates(neighbour_max(context, weights, all_u));
    const auto v =
        (*aggregator_mlp_2)(context, activate(context, (*aggregator_mlp_0)(context, features), options_.activation));
    return down_proj(context, v.reshape(u.shape()), residual);
  }

  MultiAggregationOptions options_;
};

}  // namespace weft
