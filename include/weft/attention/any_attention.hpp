// SPDX-License-Identifier: Apache-2.0
/// \file
/// An attention layer whose kind is known only at run time.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "weft/attention/attention_inputs.hpp"
#include "weft/attention/attention_result.hpp"
#include "weft/autograd/operand.hpp"

namespace weft {

/// Whether tokens can be added one at a time with a cache.
template <class Attention>
bool is_incremental_attention([[maybe_unused]] const Attention& attention) {
  if constexpr (requires { attention.incremental(); }) {
    return attention.incremental();
  } else {
    return true;
  }
}

/// Whether an attention layer can give the diagonal of its weights alone.
template <class Attention>
bool has_attention_diagonal([[maybe_unused]] const Attention& attention) {
  if constexpr (requires { attention.has_diagonal(); }) {
    return attention.has_diagonal();
  } else {
    return false;
  }
}

/// Whether the weights of an attention layer are bare scores, the mask among them, which nothing else can sum.
template <class Attention>
bool gives_attention_scores([[maybe_unused]] const Attention& attention) {
  if constexpr (requires { attention.gives_scores(); }) {
    return attention.gives_scores();
  } else {
    return false;
  }
}

/// One of several attention layers with the same inputs and outputs, for models whose shape comes from a file.
template <class... Kinds>
class AnyAttention {
 public:
  template <class Kind>
  requires(std::is_same_v<Kind, Kinds> || ...) AnyAttention(Kind kind) : kind_(std::move(kind)) {}

  template <class Context, class X, class T, class Residual>
  auto operator()(Context& context, const X& x, const AttentionInputs<T>& inputs, const Residual& residual) const {
    return std::visit([&](const auto& kind) { return kind(context, x, inputs, residual); }, kind_);
  }

  /// The result and the weights [batch, heads, tokens, tokens]; an error where the kind has none.
  template <class Context, class X, class T, class Residual>
  auto with_weights(Context& context, const X& x, const AttentionInputs<T>& inputs, const Residual& residual) const {
    using Both = AttentionResult<typename Context::template Result<T, ShapeOf<X>>,
                                 typename Context::template Result<T, Shape<Dyn, Dyn, Dyn, Dyn>>>;
    return std::visit(
        [&](const auto& kind) -> Both {
          if constexpr (requires { kind.with_weights(context, x, inputs, residual); }) {
            const auto both = kind.with_weights(context, x, inputs, residual);
            return {both.output, both.weights.reshape(Shape<Dyn, Dyn, Dyn, Dyn>::from(both.weights.shape().extents()))};
          } else {
            fail("AnyAttention: this kind of attention has no weights of tokens against tokens");
          }
        },
        kind_);
  }

  /// The result and the diagonal of the weights, [batch, heads, tokens, 1]; an error unless `has_diagonal()`.
  template <class Context, class X, class T, class Residual>
  auto with_diagonal(Context& context, const X& x, const AttentionInputs<T>& inputs, const Residual& residual) const {
    using Both = AttentionResult<typename Context::template Result<T, ShapeOf<X>>,
                                 typename Context::template Result<T, Shape<Dyn, Dyn, Dyn, Dyn>>>;
    return std::visit(
        [&](const auto& kind) -> Both {
          if constexpr (requires { kind.with_diagonal(context, x, inputs, residual); }) {
            const auto both = kind.with_diagonal(context, x, inputs, residual);
            return {both.output, both.weights};
          } else {
            fail("AnyAttention: this kind of attention has no diagonal of weights alone");
          }
        },
        kind_);
  }

  template <class Context, class X, class T>
  auto attention_weights(Context& context, const X& x, const AttentionInputs<T>& inputs) const {
    return std::visit([&](const auto& kind) { return kind.attention_weights(context, x, inputs); }, kind_);
  }

  void initialize(Rng& rng, double standard_deviation) {
    std::visit([&](auto& kind) { kind.initialize(rng, standard_deviation); }, kind_);
  }

  Index head_dim() const {
    return std::visit([](const auto& kind) { return kind.head_dim(); }, kind_);
  }
  Index key_width() const {
    return std::visit([](const auto& kind) { return kind.key_width(); }, kind_);
  }
  Index value_width() const {
    return std::visit([](const auto& kind) { return kind.value_width(); }, kind_);
  }
  bool has_diagonal() const {
    return std::visit([](const auto& kind) { return has_attention_diagonal(kind); }, kind_);
  }
  bool gives_scores() const {
    return std::visit([](const auto& kind) { return gives_attention_scores(kind); }, kind_);
  }
  bool incremental() const {
    return std::visit([](const auto& kind) { return is_incremental_attention(kind); }, kind_);
  }

  template <class Self, class Visit>
  static void visit_parameters(Self& self, Visit&& visit, const std::string& prefix) {
    std::visit([&](auto& kind) { for_each_parameter(kind, visit, prefix); }, self.kind_);
  }

 private:
  std::variant<Kinds...> kind_;
};

}  // namespace weft
