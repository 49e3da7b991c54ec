// SPDX-License-Identifier: Apache-2.0
/// \file
/// Normalisation over the nodes of a graph, and over the features of a node without parameters.
#pragma once

#include <algorithm>

#include "weft/autograd/operand.hpp"
#include "weft/ops/graph_norm/graph_norm_kernels.hpp"
#include "weft/ops/layer_norm/layer_norm.hpp"

namespace weft {

namespace detail {

template <class T, class DeviceType>
struct GraphNormBackward {
  GraphNormSize<T> size;
  Operand<T> x;
  Operand<T> weight;
  Gradient* bias;
  Operand<T> mean_scale;
  Gradient* y;

  void operator()(BasicTape<DeviceType>& tape) const {
    const auto dx = tape.template target<T>(x.gradient);
    const auto dweight = tape.template target<T>(weight.gradient);
    const auto dbias = tape.template target<T>(bias);
    const auto dmean_scale = tape.template target<T>(mean_scale.gradient);
    GraphNormKernels<DeviceType>::backward(size, x.data, weight.data, mean_scale.data, y->values<T>(), dx, dweight,
                                           dbias, dmean_scale);
  }
};

}  // namespace detail

/// y = weight c / sqrt(mean(c²) + eps) + bias with c = x - mean_scale mean(x), the means over nodes (Cai et al., arXiv
/// 2009.03294; torch_geometric.nn.GraphNorm).
///
/// \param x                         [nodes, features]
/// \param weight, bias, mean_scale  [features]
/// \param graph  whose graphs are normalised each for itself, or null: all nodes are one graph (quirk L4)
/// \return       the shape of x
template <class Context, class X, class Weight, class Bias, class MeanScale>
auto graph_norm(Context& context, const X& x, const Weight& weight, const Bias& bias, const MeanScale& mean_scale,
                double eps, const Graph* graph = nullptr) {
  using T = ElementOf<X>;
  using Device = typename Context::Device;
  static_assert(ShapeOf<X>::rank == 2, "graph_norm(x, weight, bias, mean_scale): x must be [nodes, features]");
  WEFT_EXPECT_SAME_EXTENT(x.shape(), 1, weight.shape(), 0,
                          "graph_norm(x, weight, bias, mean_scale): weight must have one value for each feature");
  WEFT_EXPECT_SAME_EXTENT(x.shape(), 1, bias.shape(), 0,
                          "graph_norm(x, weight, bias, mean_scale): bias must have one value for each feature");
  WEFT_EXPECT_SAME_EXTENT(x.shape(), 1, mean_scale.shape(), 0,
                          "graph_norm(x, weight, bias, mean_scale): mean_scale must have one value for each feature");
  if (graph != nullptr && (graph->nodes != x.extent(0) || (graph->graphs == 0 && graph->nodes > 0))) {
    fail(concat("graph_norm(x, graph): the graphs must be ranges of the ", x.extent(0), " nodes, found ",
                graph->nodes == x.extent(0) ? "nodes of one graph that do not stand together"
                                            : concat(graph->nodes, " nodes")));
  }
  GraphNormSize<T> size{nullptr, 1, x.extent(1), static_cast<T>(eps)};
  if (graph != nullptr) {
    size.begin = graph->graph_begin;
    size.graphs = graph->graphs;
  } else {
    auto* begin = context.workspace().template allocate<GraphIndex>(2);
    begin[0] = 0;
    begin[1] = static_cast<GraphIndex>(x.extent(0));
    size.begin = begin;
  }
  const auto xs = operand(context, x);
  const auto weights = operand(context, weight);
  const auto biases = operand(context, bias);
  const auto scales = operand(context, mean_scale);
  auto y = context.template make<T>(x.shape(), xs.gradient || weights.gradient || biases.gradient || scales.gradient);
  GraphNormKernels<Device>::forward(size, xs.data, weights.data, biases.data, scales.data, y.data());
  if constexpr (Context::records) {
    context.record(y.gradient_slot(),
                   detail::GraphNormBackward<T, Device>{size, xs, weights, biases.gradient, scales, y.gradient_slot()});
  }
  return y;
}

/// y = (x - mean) / sqrt(variance + eps) over the last axis: layer_norm with weight 1 and bias 0. It is what an
/// InstanceNorm1d without parameters makes of a matrix.
///
/// \param x  [..., features]
/// \return   the shape of x
template <class Context, class X>
auto row_norm(Context& context, const X& x, double eps) {
  using T = ElementOf<X>;
  const Index features = x.extent(-1);
  using View = TensorView<const T, Shape<extent_of<ShapeOf<X>, -1>>, typename Context::Device>;
  T* values = context.workspace().template allocate<T>(2 * features);
  std::fill_n(values, features, T{1});
  std::fill_n(values + features, features, T{0});
  const auto shape = View::Shape::from({features});
  return layer_norm(context, x, View(values, shape), View(values + features, shape), eps);
}

}  // namespace weft
