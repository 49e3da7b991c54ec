// SPDX-License-Identifier: Apache-2.0
/// \file
/// The update of a graph isomorphism network, one small network for each attention head, as one operation.
#pragma once

#include <new>

#include "weft/ops/gin/gin_kernels.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

/// The run-time choices of a GIN update; the defaults are the reference's.
struct GINUpdateOptions {
  double rms_norm_eps = 1e-5;
  double dropout_rate = 0.1;  ///< of the hidden values, on a tape whose dropout is switched on
  GINSelfTerm self_term = GINSelfTerm::epsilon;
};

namespace detail {

template <class T, class DeviceType>
struct GINBackward {
  GINSize size;
  GINRules rules;
  Operand<T> x;
  Operand<T> aggregated;
  const GINHead<T>* heads;
  GINHeadTargets<T>* targets;
  const T* u;  // hidden values before the norm, see GINSize::saved
  Gradient* residual;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = GINKernels<DeviceType>;
    const T* dy = y->values<T>();
    // x's gradient is asked for first: should x and aggregated be one tensor, aggregated's contribution adds.
    const auto dx = tape.template target<T>(x.gradient);
    const auto daggregated = tape.template target<T>(aggregated.gradient);
    for (Index n = 0; n < size.heads; ++n) {
      const GINHead<T>& head = heads[n];
      targets[n] = {
          tape.template target<T>(head.epsilon.gradient),     tape.template target<T>(head.norm_weight.gradient),
          tape.template target<T>(head.mlp0_weight.gradient), tape.template target<T>(head.mlp0_bias.gradient),
          tape.template target<T>(head.mlp4_weight.gradient), tape.template target<T>(head.mlp4_bias.gradient)};
    }
    Kernels::backward(size, rules, x.data, aggregated.data, heads, u, dy, dx, daggregated, targets);
    if (!tape.hand_over(y, residual)) {
      Kernels::add(size.rows * size.width(), dy, tape.template target<T>(residual));
    }
  }
};

/// What an element of `heads` has to offer.
template <class Head>
concept GINHeadParameters = requires(const Head& head) {
  head.epsilon.data();
  head.normlayer_weight.data();
  head.mlp0_weight.data();
  head.mlp0_bias.data();
  head.mlp4_weight.data();
  head.mlp4_bias.data();
};

template <class Head>
void expect_gin_head(const Head& head, const GINSize& size) {
  WEFT_EXPECT_SAME_EXTENT(
      head.mlp0_weight.shape(), 0, head.mlp0_bias.shape(), 0,
      "gin_update(x, aggregated, heads): mlp0_bias must have one value for each row of mlp0_weight");
  WEFT_EXPECT_SAME_EXTENT(head.mlp0_weight.shape(), 0, head.normlayer_weight.shape(), 0,
                          "gin_update(x, aggregated, heads): normlayer_weight must have one value for each row of "
                          "mlp0_weight");
  WEFT_EXPECT_SAME_EXTENT(
      head.mlp0_weight.shape(), 0, head.mlp4_weight.shape(), 1,
      "gin_update(x, aggregated, heads): mlp4_weight must take what mlp0_weight [hidden, dim] gives");
  WEFT_EXPECT_SAME_EXTENT(
      head.mlp0_weight.shape(), 1, head.mlp4_weight.shape(), 0,
      "gin_update(x, aggregated, heads): mlp4_weight must give what mlp0_weight [hidden, dim] takes");
  WEFT_EXPECT_SAME_EXTENT(
      head.mlp4_weight.shape(), 0, head.mlp4_bias.shape(), 0,
      "gin_update(x, aggregated, heads): mlp4_bias must have one value for each row of mlp4_weight");
  if (head.epsilon.size() != 1) {
    fail(concat("gin_update(x, aggregated, heads): epsilon must be one value, found ", head.epsilon.size()));
  }
  if (head.mlp0_weight.extent(0) != size.hidden || head.mlp0_weight.extent(1) != size.dim) {
    fail(concat("gin_update(x, aggregated, heads): all heads must be of one size, found mlp0_weight ",
                head.mlp0_weight.shape().text(), " after [", size.hidden, ", ", size.dim, "]"));
  }
}

template <class X, class Aggregated, class Heads>
GINSize gin_size(const X& x, const Aggregated& aggregated, const Heads& heads) {
  WEFT_EXPECT_SAME_EXTENT(x.shape(), 0, aggregated.shape(), 0,
                          "gin_update(x, aggregated, heads): x and aggregated must have the same batch");
  WEFT_EXPECT_SAME_EXTENT(x.shape(), 1, aggregated.shape(), 1,
                          "gin_update(x, aggregated, heads): x and aggregated must have as many tokens");
  const auto count = static_cast<Index>(heads.size());
  if (count == 0) fail("gin_update(x, aggregated, heads): there must be at least one head");
  const Index dim = heads[0].mlp0_weight.extent(1);
  const Index hidden = heads[0].mlp0_weight.extent(0);
  if (dim <= 0 || hidden <= 0) fail("gin_update(x, aggregated, heads): the weights must not be empty");
  if (aggregated.extent(2) != count * dim) {
    fail(concat("gin_update(x, aggregated, heads): the last axis of aggregated must be heads * dim, found ",
                aggregated.extent(2), " for ", count, " heads of ", dim));
  }
  const Index key_value_heads = x.extent(2) / dim;
  if (key_value_heads == 0 || x.extent(2) != key_value_heads * dim || count % key_value_heads != 0) {
    fail(
        concat("gin_update(x, aggregated, heads): the last axis of x must be key_value_heads * dim, where "
               "key_value_heads divides the number of heads, found ",
               x.extent(2), " for ", count, " heads of ", dim));
  }
  const GINSize size{x.extent(0) * x.extent(1), count, key_value_heads, dim, hidden};
  for (const auto& head : heads) expect_gin_head(head, size);
  return size;
}

template <class T, class Context, class Head>
GINHead<T> gin_head(const Context& context, const Head& head) {
  return {operand(context, head.epsilon),   operand(context, head.normlayer_weight), operand(context, head.mlp0_weight),
          operand(context, head.mlp0_bias), operand(context, head.mlp4_weight),      operand(context, head.mlp4_bias)};
}

template <class T>
bool needs_gradient(const GINHead<T>& head) {
  return head.epsilon.gradient || head.norm_weight.gradient || head.mlp0_weight.gradient || head.mlp0_bias.gradient ||
         head.mlp4_weight.gradient || head.mlp4_bias.gradient;
}

template <class Context>
GINRules gin_rules([[maybe_unused]] Context& context, const GINUpdateOptions& options) {
  if (!(options.dropout_rate >= 0 && options.dropout_rate < 1)) {
    fail(concat("gin_update(x, aggregated, heads): dropout_rate must be in [0, 1), found ", options.dropout_rate));
  }
  if constexpr (Context::records) {
    if (context.dropping() && options.dropout_rate > 0) {
      return {options.rms_norm_eps, options.self_term,
              DropoutMask(context.next_dropout_stream(), options.dropout_rate)};
    }
  }
  return {options.rms_norm_eps, options.self_term, DropoutMask(Rng(), 0)};
}

/// The operation behind most of its types, compiled once for each context, element type and list of heads; its `count`
/// results are flat.
template <class T, class Context, class Heads>
auto gin_flat(Context& context, const GINSize& size, const GINRules& rules, Index count, const Operand<T>& x,
              const Operand<T>& aggregated, const Heads& heads, const Operand<T>& residual) {
  using Device = typename Context::Device;
  bool wanted = x.gradient || aggregated.gradient || residual.gradient;
  for (const auto& head : heads) {
    wanted = wanted || needs_gradient(gin_head<T>(context, head));
  }

  auto y = context.template make<T>(Shape<Dyn>(count), wanted);
  auto& workspace = context.workspace();
  const auto result_end = workspace.mark();
  GINHead<T>* const parameters = workspace.template allocate<GINHead<T>>(size.heads);
  for (Index n = 0; n < size.heads; ++n) {
    new (parameters + n) GINHead<T>(gin_head<T>(context, heads[static_cast<std::size_t>(n)]));
  }
  if constexpr (Context::records) {
    if (y.gradient_slot() != nullptr) {
      T* const u = workspace.template allocate<T>(size.saved());
      auto* const targets = workspace.template allocate<GINHeadTargets<T>>(size.heads);
      GINKernels<Device>::forward(size, rules, x.data, aggregated.data, parameters, residual.data, u, y.data());
      context.record(y.gradient_slot(), GINBackward<T, Device>{size, rules, x, aggregated, parameters, targets, u,
                                                               residual.gradient, y.gradient_slot()});
      return y;
    }
  }
  T* const nothing_saved = nullptr;
  GINKernels<Device>::forward(size, rules, x.data, aggregated.data, parameters, residual.data, nothing_saved, y.data());
  workspace.release(result_end);
  return y;
}

}  // namespace detail

/// For every head n: y = W₄ silu(RMSNorm(dropout(W₀ z + b₀))) + b₄ with z = epsilon x + aggregated (GINLayer without its
/// aggregation; Xu et al., arXiv 1810.00826), heads side by side, plus the residual. Head n reads slice
/// n / (heads / key_value_heads) of x. For the derivative the values before the norm are kept.
///
/// \param x           [batch, tokens, key_value_heads * dim]
/// \param aggregated  [batch, tokens, heads * dim], what each head's adjacency makes of x
/// \param heads       an array, vector or span of structs with the parameters of one head each, none of them shared:
///                    epsilon [] or [1], normlayer_weight [hidden], mlp0_weight [hidden, dim], mlp0_bias [hidden],
///                    mlp4_weight [dim, hidden], mlp4_bias [dim]
/// \param residual    the shape of the result, or `none`
/// \return            [batch, tokens, heads * dim]
template <class Context, class X, class Aggregated, class Heads, class Residual = None>
auto gin_update(Context& context, const X& x, const Aggregated& aggregated, const Heads& heads,
                const GINUpdateOptions& options = {}, const Residual& residual = none) {
  using T = ElementOf<X>;
  static_assert(
      ShapeOf<X>::rank == 3 && ShapeOf<Aggregated>::rank == 3,
      "gin_update(x, aggregated, heads): x must be [batch, tokens, key_value_heads * dim] and aggregated [batch, "
      "tokens, heads * dim]");
  static_assert(
      detail::GINHeadParameters<std::remove_cvref_t<decltype(heads[0])>>,
      "gin_update(x, aggregated, heads): each head must have epsilon, normlayer_weight, mlp0_weight, mlp0_bias, "
      "mlp4_weight and mlp4_bias");
  const GINSize size = detail::gin_size(x, aggregated, heads);
  if constexpr (!std::is_same_v<Residual, None>) {
    if (!(residual.shape() == aggregated.shape())) {
      fail(concat("gin_update(x, aggregated, heads, options, residual): residual must have shape ",
                  aggregated.shape().text(), ", found ", residual.shape().text()));
    }
  }
  const GINRules rules = detail::gin_rules(context, options);
  const auto xs = operand(context, x);
  const auto aggregates = operand(context, aggregated);
  const auto residuals = detail::optional_operand<Context, Residual, T>(context, residual);

  const Index count = aggregated.size();
  return detail::gin_flat<T>(context, size, rules, count, xs, aggregates, heads, residuals).reshape(aggregated.shape());
}

}  // namespace weft
