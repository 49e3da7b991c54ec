// SPDX-License-Identifier: Apache-2.0
/// \file
/// A feed-forward block whose kind is known only at run time.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "weft/layers/row_cache.hpp"
#include "weft/mlp/no_mlp.hpp"

namespace weft {

/// Whether a feed-forward block also wants an adjacency: `mlp(context, x, weights, residual)`.
template <class MLP, class Context, class X, class Weights>
concept TakesWeights = requires(const MLP& mlp, Context& context, const X& x, const Weights& weights) {
  mlp(context, x, weights, x);
};

/// Whether it wants to know of packed sequences beside the adjacency: `mlp(context, x, weights, residual, first_key)`.
template <class MLP, class Context, class X, class Weights>
concept TakesFirstKey = requires(const MLP& mlp, Context& context, const X& x, const Weights& weights,
                                 const std::int32_t* first_key) {
  mlp(context, x, weights, x, first_key);
};

/// `mlp` on x and, as far as it wants them, the adjacency and the packing.
template <class MLP, class Context, class X, class Weights, class Residual>
auto call_block(const MLP& mlp, Context& context, const X& x, const Weights& weights, const Residual& residual,
                const std::int32_t* first_key) {
  if constexpr (TakesFirstKey<MLP, Context, X, Weights>) {
    return mlp(context, x, weights, residual, first_key);
  } else if constexpr (TakesWeights<MLP, Context, X, Weights>) {
    return mlp(context, x, weights, residual);
  } else {
    return mlp(context, x, residual);
  }
}

/// Whether tokens can be added to a feed-forward block one at a time.
template <class MLP>
bool is_incremental_block([[maybe_unused]] const MLP& mlp) {
  if constexpr (requires { mlp.incremental(); }) {
    return mlp.incremental();
  } else {
    return true;
  }
}

/// The values that a token leaves in the cache of a feed-forward block.
template <class MLP>
Index block_cache_width([[maybe_unused]] const MLP& mlp) {
  if constexpr (requires { mlp.cache_width(); }) {
    return mlp.cache_width();
  } else {
    return 0;
  }
}

/// One of several feed-forward blocks, for models whose shape comes from a file.
template <class... Kinds>
class AnyMLP {
 public:
  template <class Kind>
  requires(std::is_same_v<Kind, Kinds> || ...) AnyMLP(Kind kind) : kind_(std::move(kind)) {}

  /// \param x          [batch, tokens, hidden]
  /// \param weights    [batch, heads, tokens, tokens], read by the kinds that use an adjacency only
  /// \param residual   [batch, tokens, hidden]
  /// \param first_key  [batch, tokens]: where each token's packed sequence begins; null: one sequence a row
  template <class Context, class X, class Weights, class Residual>
  auto operator()(Context& context, const X& x, const Weights& weights, const Residual& residual,
                  const std::int32_t* first_key = nullptr) const {
    using Y = typename Context::template Result<ElementOf<X>, ShapeOf<X>>;
    return std::visit([&](const auto& kind) -> Y { return call_block(kind, context, x, weights, residual, first_key); },
                      kind_);
  }

  /// The same for new tokens, given the earlier ones in a cache; kinds without an adjacency look at the new tokens alone.
  ///
  /// \param weights  [batch, heads, new tokens, cached + new tokens]
  template <class Context, class X, class Weights, class T, class Residual>
  auto decode(Context& context, const X& x, const Weights& weights, RowCache<T>& cache,
              const Residual& residual) const {
    using Y = typename Context::template Result<ElementOf<X>, ShapeOf<X>>;
    return std::visit(
        [&](const auto& kind) -> Y {
          if constexpr (TakesWeights<std::decay_t<decltype(kind)>, Context, X, Weights>) {
            return kind.decode(context, x, weights, cache, residual);
          } else {
            return kind(context, x, residual);
          }
        },
        kind_);
  }

  bool incremental() const {
    return std::visit([](const auto& kind) { return is_incremental_block(kind); }, kind_);
  }
  Index cache_width() const {
    return std::visit([](const auto& kind) { return block_cache_width(kind); }, kind_);
  }

  /// Whether the block is this kind.
  template <class Kind>
  bool is() const {
    return std::holds_alternative<Kind>(kind_);
  }

  void initialize(Rng& rng, double standard_deviation) {
    std::visit([&](auto& kind) { kind.initialize(rng, standard_deviation); }, kind_);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    std::visit([&](auto& kind) { for_each_parameter(kind, visit, prefix); }, self.kind_);
  }

 private:
  std::variant<Kinds...> kind_;
};

}  // namespace weft
