// SPDX-License-Identifier: Apache-2.0
/// \file
/// Several statistics of the messages into each node.
#pragma once

#include "weft/autograd/operand.hpp"
#include "weft/ops/pna_aggregate/pna_aggregate_kernels.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct PNAAggregateBackward {
  Graph graph;
  Index features;
  PNARules rules;
  Operand<T> messages;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    if (auto target = tape.template target<T>(messages.gradient)) {
      PNAAggregateKernels<DeviceType>::backward(graph, features, rules, messages.data, y->values<T>(), target);
    }
  }
};

}  // namespace detail

/// For every node, every statistic of the messages into it times every factor of its degree (Corso et al., arXiv
/// 2004.05718, without the normalisation by average degrees: quirk L11). The gradients of min and max go to the first
/// message that reaches them.
///
/// \param messages  [edges, features], in the graph's order
/// \return          [nodes, aggregators * scalers * features]
template <class Context, class Messages>
auto pna_aggregate(Context& context, const Graph& graph, const Messages& messages, const PNARules& rules) {
  using T = ElementOf<Messages>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<Messages>::rank == 2, "pna_aggregate(graph, messages): messages must be [edges, features]");
  if (messages.extent(0) != graph.edges) {
    fail(concat("pna_aggregate(graph, messages): there must be one message for each of the ", graph.edges,
                " edges, found shape ", messages.shape().text()));
  }
  const Index features = messages.extent(1);
  const auto from = operand(context, messages);
  auto y = context.template make<T>(Shape<Dyn, Dyn>(graph.nodes, rules.blocks() * features), from.gradient != nullptr);
  PNAAggregateKernels<Device>::forward(graph, features, rules, from.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::PNAAggregateBackward<T, Device>{graph, features, rules, from, y.gradient_slot()});
  }
  return y;
}

}  // namespace weft
