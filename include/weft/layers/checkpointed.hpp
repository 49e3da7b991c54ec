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

}  // namespace detail

/// A layer whose inner results are not kept for the backward pass but computed again (Chen et al., arXiv 1604.06174).
/// The values and gradients are those of the layer, bit for bit. Further arguments of the call are kept by value.
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
    const Layer& layer = *this;
    if constexpr (!Context::records) {
      return layer(context, x, arguments...);
    } else {
      using Y = decltype(layer(context, x, arguments...));
      using Element = typename Y::Element;
      if (!context.recording()) return layer(context, x, arguments...);
      const Rng dropout = context.dropout_state();
      const auto mark = context.workspace().mark();
      const auto inner = [&] {
        const auto guard = context.no_grad();
        return layer(context, x, arguments...);
      }();
      context.workspace().release(mark);
      const Y y = context.template make<Element>(inner.shape(), true);
      Context::Device::move(y.data(), inner.data(), static_cast<std::size_t>(y.size()) * sizeof(Element));
      context.record(y.gradient_slot(), detail::CheckpointBackward<Layer, X, Y, Arguments...>{
                                            &layer, x, y.gradient_slot(), {arguments...}, dropout});
      return y;
    }
  }
};

}  // namespace weft
