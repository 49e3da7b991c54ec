// SPDX-License-Identifier: Apache-2.0
/// \file
/// `aggregate_edges` on the CPU: parallel over the rows of results, so that no two threads add to one.
#pragma once

#include "weft/ops/elementwise/block_sum.hpp"
#include "weft/ops/message_passing/message_passing_kernels.hpp"
#include "weft/ops/message_passing/weighted_rows.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct MessagePassingKernels<Cpu> {
  /// y_u = self x_u + sum over edges (s, u) of w x_s; null weights are ones. The x_s are rows of `sent`.
  template <class T>
  static void forward(const Graph& graph, Index features, const T* x, const T* sent, const T* weights, T self, T* y) {
    kernels::for_each_node(graph, features, [&](Index u) {
      kernels::weighted_row(
          features, graph.target_begin[u], graph.target_begin[u + 1], graph.source,
          [&](GraphIndex p) { return weights == nullptr ? T{1} : weights[graph.weight[p]]; }, sent, self,
          self == 0 ? nullptr : x + u * features, GradientTarget<T>{y + u * features, false});
    });
  }

  /// dx_s = self dy_s + sum over edges (s, u) of w dy_u
  template <class T>
  static void backward_input(const Graph& graph, Index features, const T* dy, const T* weights, T self,
                             GradientTarget<T> dx) {
    kernels::for_each_node(graph, features, [&](Index s) {
      kernels::weighted_row(
          features, graph.source_begin[s], graph.source_begin[s + 1], graph.target,
          [&](GraphIndex q) { return weights == nullptr ? T{1} : weights[graph.weight[graph.place[q]]]; }, dy, self,
          self == 0 ? nullptr : dy + s * features, GradientTarget<T>{dx.data + s * features, dx.accumulate});
    });
  }

  /// dw of edge (s, u) = dy_u · x_s; edges that are not in the graph get 0
  template <class T>
  static void backward_weights(const Graph& graph, Index features, const T* x, const T* dy,
                               GradientTarget<T> dweights) {
    kernels::prepare_to_add(graph.weights, dweights);
    kernels::for_each_node(graph, features, [&](Index u) {
      for (GraphIndex p = graph.target_begin[u]; p < graph.target_begin[u + 1]; ++p) {
        dweights.data[graph.weight[p]] +=
            kernels::dot_row(features, dy + u * features, x + static_cast<Index>(graph.source[p]) * features);
      }
    });
  }

  /// dself = sum dy x
  template <class T>
  static void backward_self(Index count, const T* x, const T* dy, GradientTarget<T> dself) {
    struct SelfSums;
    const T sum = kernels::block_sum<SelfSums, T>(count, [&](Index i, auto access, auto& total) {
      total = kernels::multiply_add(access.load(dy + i), access.load(x + i), total);
    });
    *dself.data = dself.accumulate ? *dself.data + sum : sum;
  }
};

}  // namespace weft
