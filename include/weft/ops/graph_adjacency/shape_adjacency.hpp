// SPDX-License-Identifier: Apache-2.0
/// \file
/// From attention weights to the weighted edges of a graph.
#pragma once

#include <algorithm>
#include <cmath>

#include "weft/autograd/operand.hpp"
#include "weft/ops/graph_adjacency/graph_adjacency_kernels.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct ShapeAdjacencyBackward {
  GraphAdjacencyProblem<T> problem;
  Operand<T> weights;
  Operand<T> additional;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto dweights = tape.template target<T>(weights.gradient);
    const auto dadditional = tape.template target<T>(additional.gradient);
    GraphAdjacencyKernels<DeviceType>::backward(problem, weights.data, additional.data, y->values<T>(), dweights,
                                                dadditional);
  }
};

/// The distance factors of step 2, by |i - j|, in a text of `tokens`: of exp and power as e to the difference of two
/// logarithms, because the values themselves overflow where their ratio does not. Where `linear` divides 0 by 0, the NaN stands
/// if `zero_below_epsilon` makes no edge of it (quirk D9).
template <class T>
void fill_distance_factors(const GraphAdjacencyOptions& options, Index tokens, T* factors) {
  const DistanceScaling method = options.distance_scaling;
  const bool logarithmic = method == DistanceScaling::exp || method == DistanceScaling::power;
  const auto raw = [&](Index difference) {
    const double distance = static_cast<double>(difference) * options.distance_strength;
    if (method == DistanceScaling::sigmoid) return 1 / (1 + std::exp(-distance));
    if (method == DistanceScaling::power) return options.distance_strength * std::log(distance + 1);
    return distance;
  };
  double largest = raw(0);
  for (Index d = 1; d < tokens; ++d) largest = std::max(largest, raw(d));
  const bool guarded = !logarithmic && largest == 0 && options.distance_zero_guard && !options.zero_below_epsilon;
  for (Index d = 0; d < tokens; ++d) {
    const double factor = logarithmic ? std::exp(raw(d) - largest) : raw(d) / largest;
    factors[d] = guarded ? T{0} : static_cast<T>(factor);
  }
}

inline GraphAdjacencyCombine combine_of(const GraphAdjacencyOptions& options) {
  switch (options.method) {
    case AdjacencyMethod::mean:
      return options.per_head ? GraphAdjacencyCombine::keep : GraphAdjacencyCombine::mean;
    case AdjacencyMethod::sum:
      return options.per_head ? GraphAdjacencyCombine::keep : GraphAdjacencyCombine::sum;
    case AdjacencyMethod::threshold_any:
      return options.per_head ? GraphAdjacencyCombine::sigmoid : GraphAdjacencyCombine::any;
    case AdjacencyMethod::learnable_aggregate:
      return GraphAdjacencyCombine::keep;
  }
  fail("shape_adjacency(weights, options): method is not a value of AdjacencyMethod");
}

}  // namespace detail

/// The reference's `construct_adjacency`, in its order: (1) combine the heads (mean, sum clamped to 1, largest
/// sigmoid((w - threshold) / tau); with `per_head` they stay apart, and `learnable_aggregate` expects the network's
/// result here), (2) times the distance factors, (3) 0 where the mask hides, (4) sigmoid(alpha (E - threshold)) where
/// alpha > 0, (5) 0 where not above `epsilon_threshold`, (6) no self connections, lower triangle, (7) plus
/// min(additional, 1), neither masked nor causal. Between packed sequences everything is 0, (7) too. Every step is differentiated; comparisons carry no gradient.
///
/// \param weights     [batch, heads, tokens, tokens], row = query; the last rows alone, [batch, heads, tokens, past + tokens];
///                    or the diagonal alone, [batch, heads, tokens, 1]
/// \param mask        arrays that must outlive the step on a tape, and the past
/// \param additional  the shape of the result, or `none`
/// \return            [batch, maps, tokens, past + tokens]: maps is heads with `per_head`, 1 otherwise; of a diagonal the
///                    diagonal
template <class Context, class Weights, class Additional = None>
auto shape_adjacency(Context& context, const Weights& weights, const GraphAdjacencyMask<ElementOf<Weights>>& mask,
                     const GraphAdjacencyOptions& options, const Additional& additional = none) {
  using T = ElementOf<Weights>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<Weights>::rank == 4,
                "shape_adjacency(weights): weights must be [batch, heads, tokens, tokens]");
  const Index heads = weights.extent(1);
  const Index tokens = weights.extent(2);
  const Index columns = weights.extent(3);
  const Index keys = mask.past + tokens;
  if (columns != keys && columns != 1) {
    fail(concat(
        "shape_adjacency(weights): weights must be [batch, heads, tokens, keys] with as many keys as queries"
        " and ",
        mask.past, " of the past, or a diagonal [batch, heads, tokens, 1], found shape ", weights.shape().text()));
  }
  const auto combine = detail::combine_of(options);
  const bool apart = combine == GraphAdjacencyCombine::keep || combine == GraphAdjacencyCombine::sigmoid;
  const Shape<Dyn, Dyn, Dyn, Dyn> shape(weights.extent(0), apart ? heads : 1, tokens, columns);
  if constexpr (!std::is_same_v<Additional, None>) {
    if (!(additional.shape() == shape)) {
      fail(concat("shape_adjacency(weights, additional): additional must have the shape of the result, ", shape.text(),
                  ", found ", additional.shape().text()));
    }
  }
  GraphAdjacencyProblem<T> problem{weights.extent(0), heads, shape[1], tokens,         combine,
                                   options,           mask,  nullptr,  columns != keys};
  if (options.use_distance_scaling) {
    T* factors = context.workspace().template allocate<T>(keys);
    detail::fill_distance_factors(options, keys, factors);
    problem.distance_factors = factors;
  }
  const auto ws = operand(context, weights);
  const auto extra = detail::optional_operand<Context, Additional, T>(context, additional);
  auto y = context.template make<T>(shape, ws.gradient || extra.gradient);
  GraphAdjacencyKernels<Device>::forward(problem, ws.data, extra.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(), detail::ShapeAdjacencyBackward<T, Device>{problem, ws, extra, y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
