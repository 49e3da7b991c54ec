// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a message is computed from: the features of both ends of an edge and of the edge itself.
#pragma once

#include "weft/ops/edge_features/edge_features_kernels.hpp"
#include "weft/ops/message_passing/aggregate_edges.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct EdgeFeaturesBackward {
  Graph graph;
  EdgeFeaturesSize size;
  Gradient* x;
  Gradient* attributes;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto dx = tape.template target<T>(x);
    const auto dattributes = tape.template target<T>(attributes);
    EdgeFeaturesKernels<DeviceType>::backward(graph, size, y->values<T>(), dx, dattributes);
  }
};

template <class T, class DeviceType>
struct GatherEdgesBackward {
  Graph graph;
  Index width;
  Gradient* values;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    if (auto target = tape.template target<T>(values)) {
      EdgeFeaturesKernels<DeviceType>::backward_gather(graph, width, y->values<T>(), target);
    }
  }
};

}  // namespace detail

/// The values of the kept edges, in the graph's order.
///
/// \param values  `width` values for each edge of the list that the graph was built from
/// \return        [edges, width]
template <class Context, class Values>
auto gather_edges(Context& context, const Graph& graph, const Values& values, Index width = 1) {
  using T = ElementOf<Values>;
  using Device = typename Context::Device;
  if (values.size() != graph.weights * width) {
    fail(concat("gather_edges(graph, values): there must be ", width, " values for each of the ", graph.weights,
                " edges, found shape ", values.shape().text()));
  }
  const auto from = operand(context, values);
  auto y = context.template make<T>(Shape<Dyn, Dyn>(graph.edges, width), from.gradient != nullptr);
  EdgeFeaturesKernels<Device>::gather(graph, width, from.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::GatherEdgesBackward<T, Device>{graph, width, from.gradient, y.gradient_slot()});
  }
  return y;
}

/// For every edge (s, u), in the graph's order: [x_u, x_s, attributes], of x the columns [first, first + width).
///
/// \param x           [nodes, columns]
/// \param attributes  [edges, any]
/// \param sent        in decoding the rows of x of every sender, [senders, columns]; `none`: x
/// \return            [edges, 2 width + any]
template <class Context, class X, class Attributes, class Sent = None>
auto edge_features(Context& context, const Graph& graph, const X& x, const Attributes& attributes, Index first,
                   Index width, const Sent& sent = none) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  detail::expect_one_row_a_node(graph, x, "edge_features(graph, x, attributes)");
  if (first < 0 || width < 0 || first > x.extent(1) - width) {
    fail(concat("edge_features(graph, x, attributes): columns [", first, ", ", first + width, ") are outside of [0, ",
                x.extent(1), ")"));
  }
  if (attributes.extent(0) != graph.edges) {
    fail(concat("edge_features(graph, x, attributes): attributes must have one row for each of the ", graph.edges,
                " kept edges, found shape ", attributes.shape().text()));
  }
  const EdgeFeaturesSize size{x.extent(1), first, width, attributes.extent(1)};
  const auto xs = operand(context, x);
  const auto as = operand(context, attributes);
  auto y =
      context.template make<T>(Shape<Dyn, Dyn>(graph.edges, 2 * width + size.attributes), xs.gradient || as.gradient);
  const T* senders = detail::sender_rows<T>(context, graph, x, xs, sent, "edge_features(graph, x, attributes)");
  EdgeFeaturesKernels<Device>::forward(graph, size, xs.data, senders, as.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::EdgeFeaturesBackward<T, Device>{graph, size, xs.gradient, as.gradient, y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
