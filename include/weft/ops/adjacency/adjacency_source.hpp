// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where a processed adjacency comes from: one pair of queries and keys, the difference of two, or a scoring network. A source
/// computes nothing; `aggregate_adjacency` and `adjacency_weights` do, block by block, and again for the derivative.
#pragma once

#include <algorithm>

#include "weft/ops/adjacency/adjacency_operand.hpp"

namespace weft {

/// mode(softmax(α (scale · q kᵀ + mask))), or of relu or raw scores. Made by `pair_adjacency`.
template <class T>
struct PairAdjacency {
  using Element = T;
  kernels::AdjacencyInput<T> in;
  Gradient* q = nullptr;
  Gradient* k = nullptr;
  Gradient* sharpness = nullptr;
  Gradient* threshold = nullptr;
  double sharpness_factor = 1;

  bool needs_gradient() const { return q || k || sharpness || threshold; }

  /// Calls `run(in, gradients)`, which gives back sums.
  template <class Tape, class Run>
  void backward(Tape& tape, Run&& run) const {
    const auto dq = detail::adding_rows(tape, q, in.attention.q);
    const auto dk = detail::adding_rows(tape, k, in.attention.k);
    const kernels::AdjacencySums sums =
        run(in, kernels::AdjacencyGradients<T>{dq, dk, sharpness != nullptr, threshold != nullptr});
    detail::add_number<T>(tape, sharpness, sharpness_factor * sums.sharpness);
    detail::add_number<T>(tape, threshold, sums.threshold);
  }
};

/// \param q, k       `rows_operand` of [batch, queries, heads * head_dim] and [batch, keys, kv_heads * head_dim], or a cache
/// \param sharpness  a tensor of one element, or `none`: α is its value times `options.attention.sharpness`
/// \param threshold  a tensor of one element, or `none`: `options.threshold`. Both may also be a `std::optional`, or an operand
template <class Context, class T, class Sharpness = None, class Threshold = None>
PairAdjacency<T> pair_adjacency(const Context& context, const RowsOperand<T>& q, const RowsOperand<T>& k,
                                const AdjacencyOptions<T>& options, const Sharpness& sharpness = none,
                                const Threshold& threshold = none) {
  constexpr std::string_view operation = "pair_adjacency(q, k)";
  validate_threshold(operation, options.rules.threshold);
  const auto size = detail::query_key_rows_size(operation, q, k, options.attention, options.rules.threshold.mode);
  const auto alpha = detail::sharpness_operand<T>(operation, context, sharpness);
  const auto t = detail::optional_operand<Context, Threshold, T>(context, threshold);
  const bool sharpened = options.rules.weights == AdjacencyWeights::softmax;  // quirk A10: else without effect
  const auto through = [&](Gradient* gradient) { return detail::through(options.rules, gradient); };
  return {detail::adjacency_input(size, q, k, options, alpha.data, t.data),
          through(q.gradient),
          through(k.gradient),
          sharpened ? through(alpha.gradient) : nullptr,
          detail::threshold_slot(options.rules, t.gradient),
          options.attention.sharpness};
}

/// mode(w(q, k) - λ w(q2, k2)), with a group norm of the difference or without. Made by `differential_adjacency`.
template <class T>
struct DifferentialAdjacency {
  using Element = T;
  kernels::DifferentialInput<T> in;
  PairAdjacency<T> first;  ///< its gradients
  Gradient* q2 = nullptr;
  Gradient* k2 = nullptr;
  Gradient* lambda = nullptr;
  Gradient* norm_weight = nullptr;
  Gradient* norm_bias = nullptr;

  bool needs_gradient() const { return first.needs_gradient() || q2 || k2 || lambda || norm_weight || norm_bias; }

  template <class Tape, class Run>
  void backward(Tape& tape, Run&& run) const {
    struct Partial {};
    const Index batch = in.size().batch;
    const Index heads = in.size().heads;
    double* partial = thread_scratch<Partial, double>(2 * batch * heads);
    first.backward(tape, [&](const auto&, const kernels::AdjacencyGradients<T>& gradients) {
      const kernels::DifferentialGradients<T> all{gradients,
                                                  detail::adding_rows(tape, q2, in.q2),
                                                  detail::adding_rows(tape, k2, in.k2),
                                                  lambda != nullptr,
                                                  norm_weight != nullptr ? partial : nullptr,
                                                  norm_bias != nullptr ? partial + batch * heads : nullptr};
      const kernels::AdjacencySums sums = run(in, all);
      detail::add_number<T>(tape, lambda, sums.lambda);
      detail::add_sums<T>(tape, norm_weight, batch, heads, partial);
      detail::add_sums<T>(tape, norm_bias, batch, heads, partial + batch * heads);
      return sums;
    });
  }
};

/// The group norm of a differential adjacency: one group for each head.
template <class Weight, class Bias>
struct AdjacencyNorm {
  const Weight& weight;  ///< [heads]
  const Bias& bias;      ///< [heads]
  double scale;          ///< of the result: 1 - λ₀
  double eps = 1e-5;
};

/// \param q2, k2  the second pair, like q and k
/// \param lambda  a tensor of one element
/// \param norm    an `AdjacencyNorm`, or `none`; its statistics count all queries × keys entries, so there must be as many keys
///                as queries
template <class Context, class T, class Lambda, class Sharpness = None, class Threshold = None, class Norm = None>
DifferentialAdjacency<T> differential_adjacency(Context& context, const RowsOperand<T>& q, const RowsOperand<T>& k,
                                                const RowsOperand<T>& q2, const RowsOperand<T>& k2,
                                                const Lambda& lambda, const AdjacencyOptions<T>& options,
                                                const Sharpness& sharpness = none, const Threshold& threshold = none,
                                                const Norm& norm = none) {
  constexpr std::string_view operation = "differential_adjacency(q, k, q2, k2)";
  if (q2.batch != q.batch || q2.tokens != q.tokens || q2.width != q.width || k2.batch != k.batch ||
      k2.tokens != k.tokens || k2.width != k.width) {
    fail(concat(operation, ": both pairs must have the same shapes, found queries of ", q2.tokens, " x ", q2.width,
                " and keys of ", k2.tokens, " x ", k2.width, " after ", q.tokens, " x ", q.width, " and ", k.tokens,
                " x ", k.width));
  }
  const auto through = [&](Gradient* gradient) { return detail::through(options.rules, gradient); };
  DifferentialAdjacency<T> source;
  source.first = pair_adjacency(context, q, k, options, sharpness, threshold);
  const auto lambdas = operand(context, lambda);
  source.in = {source.first.in, q2.rows, k2.rows, *lambdas.data};
  source.q2 = through(q2.gradient);
  source.k2 = through(k2.gradient);
  source.lambda = through(lambdas.gradient);
  if constexpr (!std::is_same_v<Norm, None>) {
    detail::expect_not_packed(operation, "the group norm", options.attention);
    if (q.tokens != k.tokens) {
      fail(concat(operation, ": the group norm needs all rows at once, found ", q.tokens, " of ", k.tokens));
    }
    const auto weights = operand(context, norm.weight);
    const auto biases = operand(context, norm.bias);
    source.in.norm_weight = weights.data;
    source.in.norm_bias = biases.data;
    source.in.norm_scale = norm.scale;
    source.in.norm_eps = norm.eps;
    source.in.statistics = context.workspace().template allocate<double>(2 * q.batch * options.attention.heads);
    source.norm_weight = through(weights.gradient);
    source.norm_bias = through(biases.gradient);
  }
  return source;
}

/// mode(softmax(s + mask)) with the scores s of a network over pairs of tokens. Made by `scoring_adjacency`.
template <class T>
struct ScoringAdjacency {
  using Element = T;
  kernels::ScoringInput<T> in;
  Gradient* u = nullptr;
  Gradient* v = nullptr;
  Gradient* weight = nullptr;
  Gradient* bias = nullptr;
  Gradient* threshold = nullptr;

  bool needs_gradient() const { return u || v || weight || bias || threshold; }

  template <class Tape, class Run>
  void backward(Tape& tape, Run&& run) const {
    struct Partial {};
    const Index batch = in.size().batch;
    const Index heads = in.size().heads;
    T* partial = thread_scratch<Partial, T>(batch * heads * (in.hidden + 1));
    std::fill_n(partial, batch * heads * (in.hidden + 1), T{0});
    T* biases = partial + batch * heads * in.hidden;
    const kernels::AdjacencySums sums =
        run(in, kernels::ScoringGradients<T>{detail::adding_rows(tape, u, in.u), detail::adding_rows(tape, v, in.v),
                                             weight != nullptr ? partial : nullptr, bias != nullptr ? biases : nullptr,
                                             threshold != nullptr});
    detail::add_sums<T>(tape, weight, batch, heads * in.hidden, partial);
    detail::add_sums<T>(tape, bias, batch, heads, biases);
    detail::add_number<T>(tape, threshold, sums.threshold);
  }
};

/// s[n, i, j] = Σₛ weight[n, s] silu(u[i, s] + v[j, s]) + bias[n]. Scale and sharpness of the options have no effect, as in the
/// reference.
///
/// \param u, v    `rows_operand` of [batch, queries, hidden] and [batch, keys, hidden]
/// \param weight  [heads, hidden]
/// \param bias    [heads]
template <class Context, class T, class Weight, class Bias, class Threshold = None>
ScoringAdjacency<T> scoring_adjacency(const Context& context, const RowsOperand<T>& u, const RowsOperand<T>& v,
                                      const Weight& weight, const Bias& bias, AdjacencyOptions<T> options,
                                      const Threshold& threshold = none) {
  constexpr std::string_view operation = "scoring_adjacency(u, v)";
  validate_threshold(operation, options.rules.threshold);
  options.attention.sharpness = 1;
  const auto size = detail::adjacency_size(operation, u, v, options.attention, options.rules.threshold.mode);
  if (u.width != weight.extent(1) || v.width != weight.extent(1) || weight.extent(0) != size.heads ||
      bias.extent(0) != size.heads) {
    fail(concat(operation,
                ": weight must be [heads, hidden] and bias [heads] for u and v [batch, tokens, hidden], found ",
                weight.shape().text(), ", ", bias.shape().text(), " and widths of ", u.width, " and ", v.width, " for ",
                size.heads, " heads"));
  }
  const auto weights = operand(context, weight);
  const auto biases = operand(context, bias);
  const auto t = detail::optional_operand<Context, Threshold, T>(context, threshold);
  const T* const nothing = nullptr;
  const auto through = [&](Gradient* gradient) { return detail::through(options.rules, gradient); };
  return {{detail::adjacency_input(size, {}, {}, options, nothing, t.data), u.rows, v.rows, weights.data, biases.data,
           u.width},
          through(u.gradient),
          through(v.gradient),
          through(weights.gradient),
          through(biases.gradient),
          detail::threshold_slot(options.rules, t.gradient)};
}

}  // namespace weft
