// SPDX-License-Identifier: Apache-2.0
/// \file
/// `edge_features` and `gather_edges` on the CPU.
#pragma once

#include <algorithm>

#include "weft/ops/edge_features/edge_features_kernels.hpp"
#include "weft/ops/message_passing/weighted_rows.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct EdgeFeaturesKernels<Cpu> {
  /// Row p of y: [x_u, x_s, attributes_p], the slices of x. The x_s are rows of `sent`.
  template <class T>
  static void forward(const Graph& graph, const EdgeFeaturesSize& size, const T* x, const T* sent, const T* attributes,
                      T* y) {
    const Index width = 2 * size.width + size.attributes;
    kernels::for_each_node(graph, width, [&](Index u) {
      for (GraphIndex p = graph.target_begin[u]; p < graph.target_begin[u + 1]; ++p) {
        T* row = y + p * width;
        row = std::copy_n(x + u * size.columns + size.first, size.width, row);
        row = std::copy_n(sent + graph.source[p] * size.columns + size.first, size.width, row);
        std::copy_n(attributes + p * size.attributes, size.attributes, row);
      }
    });
  }

  /// dx of the slice = its sums over the edges into and out of each node; the other columns get 0. dattributes = dy.
  template <class T>
  static void backward(const Graph& graph, const EdgeFeaturesSize& size, const T* dy, GradientTarget<T> dx,
                       GradientTarget<T> dattributes) {
    const Index width = 2 * size.width + size.attributes;
    if (dx) kernels::prepare_to_add(graph.nodes * size.columns, dx);
    if (dattributes) kernels::prepare_to_add(graph.edges * size.attributes, dattributes);
    kernels::for_each_node(graph, width, [&](Index node) {
      for (GraphIndex p = graph.target_begin[node]; p < graph.target_begin[node + 1]; ++p) {
        const T* row = dy + p * width;
        if (dx) add(size.width, row, dx.data + node * size.columns + size.first);
        if (dattributes) add(size.attributes, row + 2 * size.width, dattributes.data + p * size.attributes);
      }
      if (!dx) return;
      for (GraphIndex q = graph.source_begin[node]; q < graph.source_begin[node + 1]; ++q) {
        add(size.width, dy + graph.place[q] * width + size.width, dx.data + node * size.columns + size.first);
      }
    });
  }

  /// Row p of y: row weight[p] of the values
  template <class T>
  static void gather(const Graph& graph, Index width, const T* values, T* y) {
    parallel_for(graph.edges, kernels::rows_worth_a_thread(width), [&](Index begin, Index end) {
      for (Index p = begin; p < end; ++p) std::copy_n(values + graph.weight[p] * width, width, y + p * width);
    });
  }

  /// Each value belongs to one edge at most.
  template <class T>
  static void backward_gather(const Graph& graph, Index width, const T* dy, GradientTarget<T> dvalues) {
    kernels::prepare_to_add(graph.weights * width, dvalues);
    parallel_for(graph.edges, kernels::rows_worth_a_thread(width), [&](Index begin, Index end) {
      for (Index p = begin; p < end; ++p) add(width, dy + p * width, dvalues.data + graph.weight[p] * width);
    });
  }

 private:
  template <class T>
  static void add(Index count, const T* values, T* to) {
    for (Index i = 0; i < count; ++i) to[i] += values[i];
  }
};

}  // namespace weft
