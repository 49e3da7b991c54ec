// SPDX-License-Identifier: Apache-2.0
/// \file
/// Message passing by weighted sums over the edges of a graph.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/linear/linear.hpp"
#include "weft/ops/message_passing/graph_builder.hpp"
#include "weft/ops/message_passing/message_passing_kernels.hpp"

namespace weft {

namespace detail {

/// dx_s = self dy_s + Σ w dy_u,  dw = dy_u · x_s,  depsilon = Σ dy x.
template <class T, class DeviceType>
struct AggregateEdgesBackward {
  Graph graph;
  Index features;
  Operand<T> x;
  Operand<T> weights;
  Operand<T> epsilon;
  T offset;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = MessagePassingKernels<DeviceType>;
    const T* dy = y->values<T>();
    const T self = epsilon.data == nullptr ? offset : *epsilon.data + offset;
    if (auto dw = tape.template target<T>(weights.gradient)) {
      Kernels::backward_weights(graph, features, x.data, dy, dw);
    }
    if (auto de = tape.template target<T>(epsilon.gradient)) {
      Kernels::backward_self(graph.nodes * features, x.data, dy, de);
    }
    if (auto dx = tape.template target<T>(x.gradient)) {
      Kernels::backward_input(graph, features, dy, weights.data, self, dx);
    }
  }
};

template <class X>
void expect_one_row_a_node(const Graph& graph, const X& x, std::string_view what) {
  static_assert(ShapeOf<X>::rank == 2, "an operation on a graph: x must be [nodes, features]");
  if (x.extent(0) != graph.nodes) {
    fail(concat(what, ": x must have one row for each of the ", graph.nodes, " nodes, found shape ", x.shape().text()));
  }
}

/// The rows that the sources of a graph count: those of its nodes, or `sent` in decoding.
template <class T, class Context, class X, class Sent>
const T* sender_rows(const Context& /*context*/, const Graph& graph, const X& x, const Operand<T>& own,
                     const Sent& sent, std::string_view what) {
  if constexpr (std::is_same_v<Sent, None>) {
    if (graph.senders != graph.nodes) {
      fail(concat(what, ": ", graph.senders, " nodes send to ", graph.nodes, ", so that their rows must be given"));
    }
    return own.data;
  } else {
    static_assert(!Context::records, "an operation on a graph: rows of senders are for decoding, without derivatives");
    if (sent.extent(0) != graph.senders || sent.extent(1) != x.extent(1)) {
      fail(concat(what, ": sent must be [", graph.senders, ", ", x.extent(1), "], found shape ", sent.shape().text()));
    }
    return sent.data();
  }
}

/// The weights of edges as an operand: any shape, as many values as the list of edges has.
template <class T, class Context, class Weights>
Operand<T> edge_weight_operand(const Context& context, const Graph& graph, const Weights& weights,
                               std::string_view what) {
  if constexpr (!std::is_same_v<Weights, None>) {
    static_assert(std::is_same_v<T, ElementOf<Weights>>,
                  "an operation on a graph: x and the edge weights must have one element type");
    if (weights.size() != graph.weights) {
      fail(concat(what, ": there must be one weight for each of the ", graph.weights, " edges, found shape ",
                  weights.shape().text()));
    }
  }
  return optional_operand<Context, Weights, T>(context, weights);
}

}  // namespace detail

/// y_u = (epsilon + offset) x_u + Σ over edges (s, u) of w x_s: the sum of a graph isomorphism network (Xu et al.,
/// arXiv 1810.00826) and of a graph convolution without normalisation. A node without edges gets the first term alone.
///
/// \param x        [nodes, features]
/// \param weights  of any shape, a value for each edge of the list that the graph was built from, or `none`: ones
/// \param epsilon  one element, or `none`: 0
/// \param offset   a constant beside epsilon
/// \param sent     in decoding the rows of x of every sender, [senders, features]; `none`: x
/// \return         the shape of x
template <class Context, class X, class Weights = None, class Epsilon = None, class Sent = None>
auto aggregate_edges(Context& context, const Graph& graph, const X& x, const Weights& weights = none,
                     const Epsilon& epsilon = none, double offset = 0, const Sent& sent = none) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  detail::expect_one_row_a_node(graph, x, "aggregate_edges(graph, x)");
  const auto xs = operand(context, x);
  const auto ws = detail::edge_weight_operand<T>(context, graph, weights, "aggregate_edges(graph, x, weights)");
  const auto epsilons = detail::optional_operand<Context, Epsilon, T>(context, epsilon);
  const T self = static_cast<T>(offset) + (epsilons.data == nullptr ? T{0} : *epsilons.data);
  auto y = context.template make<T>(x.shape(), xs.gradient || ws.gradient || epsilons.gradient);
  const T* senders = detail::sender_rows<T>(context, graph, x, xs, sent, "aggregate_edges(graph, x)");
  MessagePassingKernels<Device>::forward(graph, x.extent(1), xs.data, senders, ws.data, self, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::AggregateEdgesBackward<T, Device>{graph, x.extent(1), xs, ws, epsilons,
                                                             static_cast<T>(offset), y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
