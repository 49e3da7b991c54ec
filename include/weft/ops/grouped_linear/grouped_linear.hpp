// SPDX-License-Identifier: Apache-2.0
/// \file
/// A linear map for each head, on the head's own channels.
#pragma once

#include <new>

#include "weft/ops/grouped_linear/grouped_linear_kernels.hpp"
#include "weft/ops/linear/linear.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct GroupedLinearBackward {
  GroupedLinearSize size;
  Operand<T> x;
  const GroupedLinearPart<T>* parts;
  Operand<T> bias_weights;
  GroupedLinearTargets<T>* targets;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    using Kernels = GroupedLinearKernels<DeviceType>;
    const T* dy = y->values<T>();
    for (Index g = 0; g < size.groups; ++g) {
      targets[g] = {tape.template target<T>(parts[g].weight.gradient), tape.template target<T>(parts[g].bias.gradient)};
    }
    Kernels::backward_parameters(size, dy, x.data, bias_weights.data, targets);
    if (auto dc = tape.template target<T>(bias_weights.gradient)) {
      Kernels::backward_bias_weights(size, dy, parts, dc);
    }
    if (auto dx = tape.template target<T>(x.gradient)) Kernels::backward_input(size, dy, parts, dx);
  }
};

/// The extents of x [..., groups * in] and of layers that all have one size.
template <class X, class Layers>
GroupedLinearSize grouped_linear_size(const X& x, const Layers& layers) {
  const auto groups = static_cast<Index>(layers.size());
  if (groups == 0) fail("grouped_linear(x, layers): there must be at least one layer");
  const auto& first = layers[0].weight;
  const GroupedLinearSize size{first.extent(1) > 0 ? x.size() / (groups * first.extent(1)) : 0, groups, first.extent(1),
                               first.extent(0)};
  if (x.extent(ShapeOf<X>::rank - 1) != size.input_width()) {
    fail(concat("grouped_linear(x, layers): the last axis of x must be groups * in, found ",
                x.extent(ShapeOf<X>::rank - 1), " for ", groups, " layers with weights ", first.shape().text()));
  }
  for (const auto& layer : layers) {
    if (!(layer.weight.shape() == first.shape())) {
      fail(concat("grouped_linear(x, layers): all layers must have one size, found weights ",
                  layer.weight.shape().text(), " and ", first.shape().text()));
    }
  }
  return size;
}

/// The operands of all groups. Returns whether one of them needs a gradient.
template <class T, class Context, class Layers>
bool grouped_linear_parts(const Context& context, const Layers& layers, GroupedLinearPart<T>* parts) {
  bool needs_gradient = false;
  for (std::size_t g = 0; g < layers.size(); ++g) {
    auto* part = new (parts + g) GroupedLinearPart<T>{operand(context, layers[g].weight), {}};
    if (layers[g].bias) part->bias = operand(context, *layers[g].bias);
    needs_gradient = needs_gradient || part->weight.gradient || part->bias.gradient;
  }
  return needs_gradient;
}

}  // namespace detail

/// y[..., g, :] = W_g x[..., g, :] + c[..., g] b_g: slice g of the last axis goes through layer g. The slices are addressed
/// by strides, nothing is moved.
///
/// \param x             [..., groups * in]
/// \param layers        an array, vector or span of `Linear`-like structs of one size: weight [out, in], optional bias [out]
/// \param bias_weights  c, as many rows as x by [groups]: factors on the biases; or `none`: 1
/// \return              [..., groups * out]
template <auto OutputWidth = Dyn, class Context, class X, class Layers, class BiasWeights = None>
auto grouped_linear(Context& context, const X& x, const Layers& layers, const BiasWeights& bias_weights = none) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  const GroupedLinearSize size = detail::grouped_linear_size(x, layers);
  if constexpr (!std::is_same_v<BiasWeights, None>) {
    if (bias_weights.size() != size.rows * size.groups) {
      fail(concat("grouped_linear(x, layers, bias_weights): bias_weights must have one number for each row and group, ",
                  size.rows, " * ", size.groups, ", found ", bias_weights.shape().text()));
    }
  }
  using YShape = ReplaceAxis<ShapeOf<X>, ShapeOf<X>::rank - 1, OutputWidth>;
  auto extents = x.shape().extents();
  extents.back() = size.output_width();
  const auto xs = operand(context, x);
  const auto factors = detail::optional_operand<Context, BiasWeights, T>(context, bias_weights);
  auto* parts = context.workspace().template allocate<GroupedLinearPart<T>>(size.groups);
  const bool learned = detail::grouped_linear_parts<T>(context, layers, parts);
  auto y = context.template make<T>(YShape::from(extents), xs.gradient || factors.gradient || learned);
  GroupedLinearKernels<Device>::forward(size, xs.data, parts, factors.data, y.data());
  if constexpr (Context::records) {
    if (y.gradient_slot() != nullptr) {
      auto* targets = context.workspace().template allocate<GroupedLinearTargets<T>>(size.groups);
      context.record(y.gradient_slot(),
                     detail::GroupedLinearBackward<T, Device>{size, xs, parts, factors, targets, y.gradient_slot()});
    }
  }
  return y;
}

}  // namespace weft
