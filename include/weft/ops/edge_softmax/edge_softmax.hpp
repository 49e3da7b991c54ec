// SPDX-License-Identifier: Apache-2.0
/// \file
/// Message passing by attention over the edges into each node.
#pragma once

#include "weft/ops/edge_softmax/edge_softmax_kernels.hpp"
#include "weft/ops/message_passing/aggregate_edges.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct EdgeSoftmaxBackward {
  Graph graph;
  Index features;
  Operand<T> x;
  Operand<T> scores;
  Operand<T> weights;
  const T* alpha;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = EdgeSoftmaxKernels<DeviceType>;
    const T* dy = y->values<T>();
    const auto dw = tape.template target<T>(weights.gradient);
    const auto dx = tape.template target<T>(x.gradient);
    const auto dscores = tape.template target<T>(scores.gradient);
    const auto mark = tape.workspace().mark();
    T* slopes = tape.workspace().template allocate<T>(graph.edges);
    Kernels::backward_scores(graph, features, x.data, scores.data, weights.data, alpha, dy, slopes, dw);
    Kernels::backward_nodes(graph, features, alpha, slopes, dy, dx, dscores);
    tape.workspace().release(mark);
  }
};

}  // namespace detail

/// y_u = Σ over edges (s, u) of alpha x_s with alpha = exp(r - max) / (Σ exp(r - max) + 1e-16) over the edges into u
/// and r = w leaky(scores_u0 + scores_s1), slope 0.2 below 0 (Velickovic et al., arXiv 1710.10903, with edge weights
/// inside the softmax; the softmax of PyTorch Geometric). No gradient flows through the maximum. A node without edges
/// gets 0.
///
/// \param x        [nodes, features]
/// \param scores   [nodes, 2]: of each node as a target and as a source
/// \param weights  of any shape, a value for each edge of the list that the graph was built from, or `none`: ones
/// \param sent, sent_scores  in decoding the rows of x and of the scores of every sender, [senders, ...]; `none`: those here
/// \return         the shape of x
template <class Context, class X, class Scores, class Weights = None, class Sent = None, class SentScores = None>
auto edge_softmax(Context& context, const Graph& graph, const X& x, const Scores& scores, const Weights& weights = none,
                  const Sent& sent = none, const SentScores& sent_scores = none) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  detail::expect_one_row_a_node(graph, x, "edge_softmax(graph, x, scores)");
  static_assert(ShapeOf<Scores>::rank == 2, "edge_softmax(graph, x, scores): scores must be [nodes, 2]");
  if (scores.extent(0) != graph.nodes || scores.extent(1) != 2) {
    fail(
        concat("edge_softmax(graph, x, scores): scores must be [", graph.nodes, ", 2], found ", scores.shape().text()));
  }
  const auto xs = operand(context, x);
  const auto ss = operand(context, scores);
  const auto ws = detail::edge_weight_operand<T>(context, graph, weights, "edge_softmax(graph, x, scores, weights)");
  constexpr std::string_view what = "edge_softmax(graph, x, scores)";
  const T* from = detail::sender_rows<T>(context, graph, x, xs, sent, what);
  const T* from_scores = detail::sender_rows<T>(context, graph, scores, ss, sent_scores, what);
  T* alpha = context.workspace().template allocate<T>(graph.edges);
  auto y = context.template make<T>(x.shape(), xs.gradient || ss.gradient || ws.gradient);
  EdgeSoftmaxKernels<Device>::forward(graph, x.extent(1), from, ss.data, from_scores, ws.data, alpha, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::EdgeSoftmaxBackward<T, Device>{graph, x.extent(1), xs, ss, ws, alpha, y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
