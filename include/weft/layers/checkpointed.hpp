// SPDX-License-Identifier: Apache-2.0
/// \file
/// Gradient checkpointing as a layer: less memory for one more forward pass.
#pragma once

#include <tuple>
#include <utility>

#include "weft/autograd/operand.hpp"

namespace weft {

namespace detail {

/// Recomputes a layer on its input and runs that backwards.
template <class Layer, class X, class Y, class... Arguments>
struct CheckpointBackward {
  const Layer* layer;
  X x;
  Gradient* y;
  std::tuple<Arguments...> arguments;
  Rng dropout;

  template <class DeviceType>
  void operator()(BasicTape<DeviceType>& tape) const {
    const Rng after = tape.dropout_state();
    tape.set_dropout_state(dropout);
    const auto run = [&] {
      return std::apply([&](const auto&... each) { return (*layer)(tape, x, each...); }, arguments);
    };
    tape.replay(run, y->values<typename Y::Element>());
    tape.set_dropout_state(after);
  }
};

/// What a tape keeps of an argument: a view of a tensor, which must outlive the step, and everything else by value.
template <class Argument>
auto kept(const Argument& argument) {
  if constexpr (requires { argument.view(); }) {
    return argument.view();
  } else {
    return argument;
  }
}

}  // namespace detail

/// A layer whose inner results are not kept for the backward pass but computed again (Chen et al., arXiv 1604.06174).
/// The values and gradients are those of the layer, bit for bit, and where the layer needs no gradient nothing is recorded or
/// computed again. Arguments of the call are kept by value, tensors as views.
///
///     using Net = Stack<Checkpointed<Block>, 6>;
template <class Layer>
class Checkpointed : public Layer {
 public:
  using Layer::Layer;

  /// Wraps a layer that has been made already.
  explicit Checkpointed(Layer layer) : Layer(std::move(layer)) {}

  template <class Context, class X, class... Arguments>
  auto operator()(Context& context, const X& x, const Arguments&... arguments) const {
    if constexpr (Context::records) {
      if (context.recording()) return record(context, detail::kept(x), detail::kept(arguments)...);
    }
    return static_cast<const Layer&>(*this)(context, x, arguments...);
  }

 private:
  /// Where x has no gradient, the layer's parameters and its other arguments may: what it would record tells.
  template <class Context, class X, class... Arguments>
  auto record(Context& context, const X& x, const Arguments&... arguments) const {
    const Layer& layer = *this;
    using Y = decltype(layer(context, x, arguments...));
    using Element = typename Y::Element;
    const Rng dropout = context.dropout_state();
    const bool reaches_x = operand(context, x).gradient != nullptr;
    const Y inner = context.rehearse([&] {
      if (!reaches_x) return layer(context, x, arguments...);
      const auto guard = context.no_grad();
      return layer(context, x, arguments...);
    });
    const Y y = context.template make<Element>(inner.shape(), reaches_x || inner.gradient_slot() != nullptr);
    Context::Device::move(y.data(), inner.data(), static_cast<std::size_t>(y.size()) * sizeof(Element));
    context.record(y.gradient_slot(), detail::CheckpointBackward<Layer, X, Y, Arguments...>{
                                          &layer, x, y.gradient_slot(), {arguments...}, dropout});
    return y;
  }
};

}  // namespace weft
