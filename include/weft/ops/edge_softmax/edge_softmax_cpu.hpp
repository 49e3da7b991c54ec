// SPDX-License-Identifier: Apache-2.0
/// \file
/// `edge_softmax` on the CPU: forward and scores parallel over targets, nodes parallel over sources.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "weft/ops/edge_softmax/edge_softmax_kernels.hpp"
#include "weft/ops/message_passing/weighted_rows.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct EdgeSoftmaxKernels<Cpu> {
  static constexpr double kSlope = 0.2;  ///< of the leaky ReLU on scores, below 0

  /// alpha[p] of every edge, y_u = sum over edges (s, u) of alpha x_s. Null weights are ones. The x_s and the scores of
  /// sources are rows of `sent` and `sent_scores`.
  template <class T>
  static void forward(const Graph& graph, Index features, const T* sent, const T* scores, const T* sent_scores,
                      const T* weights, T* alpha, T* y) {
    kernels::for_each_node(graph, features, [&](Index u) {
      softmax_row(graph, u, scores, sent_scores, weights, alpha);
      kernels::weighted_row(
          features, graph.target_begin[u], graph.target_begin[u + 1], graph.source,
          [&](GraphIndex p) { return alpha[p]; }, sent, T{0}, static_cast<const T*>(nullptr),
          GradientTarget<T>{y + u * features, false});
    });
  }

  /// For every edge: slopes[p] = d loss / d (p_u + q_s), and dw. With a = alpha and da = dy_u · x_s the derivative by
  /// the weighted score is a (da - sum of a da); the maximum that was subtracted carries none.
  template <class T>
  static void backward_scores(const Graph& graph, Index features, const T* x, const T* scores, const T* weights,
                              const T* alpha, const T* dy, T* slopes, GradientTarget<T> dweights) {
    if (dweights) kernels::prepare_to_add(graph.weights, dweights);
    kernels::for_each_node(graph, features, [&](Index u) {
      const GraphIndex first = graph.target_begin[u];
      const GraphIndex last = graph.target_begin[u + 1];
      T mean = 0;
      for (GraphIndex p = first; p < last; ++p) {
        slopes[p] = kernels::dot_row(features, dy + u * features, x + static_cast<Index>(graph.source[p]) * features);
        mean += alpha[p] * slopes[p];
      }
      for (GraphIndex p = first; p < last; ++p) {
        const T dr = alpha[p] * (slopes[p] - mean);
        const T z = raw_score(graph, u, p, scores, scores);
        if (dweights) dweights.data[graph.weight[p]] += dr * leaky(z);
        slopes[p] = dr * weight_of(graph, p, weights) * (z > 0 ? T{1} : static_cast<T>(kSlope));
      }
    });
  }

  /// dx_s = sum over edges (s, u) of alpha dy_u; dscores = [sum of slopes into the node, sum of slopes out of it]
  template <class T>
  static void backward_nodes(const Graph& graph, Index features, const T* alpha, const T* slopes, const T* dy,
                             GradientTarget<T> dx, GradientTarget<T> dscores) {
    kernels::for_each_node(graph, features, [&](Index node) {
      if (dx) {
        kernels::weighted_row(
            features, graph.source_begin[node], graph.source_begin[node + 1], graph.target,
            [&](GraphIndex q) { return alpha[graph.place[q]]; }, dy, T{0}, static_cast<const T*>(nullptr),
            GradientTarget<T>{dx.data + node * features, dx.accumulate});
      }
      if (!dscores) return;
      T in = 0;
      T out = 0;
      for (GraphIndex p = graph.target_begin[node]; p < graph.target_begin[node + 1]; ++p) in += slopes[p];
      for (GraphIndex q = graph.source_begin[node]; q < graph.source_begin[node + 1]; ++q)
        out += slopes[graph.place[q]];
      T* to = dscores.data + 2 * node;
      to[0] = dscores.accumulate ? to[0] + in : in;
      to[1] = dscores.accumulate ? to[1] + out : out;
    });
  }

 private:
  template <class T>
  static T leaky(T z) {
    return z > 0 ? z : static_cast<T>(kSlope) * z;
  }
  template <class T>
  static T weight_of(const Graph& graph, GraphIndex p, const T* weights) {
    return weights == nullptr ? T{1} : weights[graph.weight[p]];
  }
  /// p_u + q_s: the scores of a node are [as a target, as a source].
  template <class T>
  static T raw_score(const Graph& graph, Index u, GraphIndex p, const T* scores, const T* sent_scores) {
    return scores[2 * u] + sent_scores[2 * static_cast<Index>(graph.source[p]) + 1];
  }

  template <class T>
  static void softmax_row(const Graph& graph, Index u, const T* scores, const T* sent_scores, const T* weights,
                          T* alpha) {
    const GraphIndex first = graph.target_begin[u];
    const GraphIndex last = graph.target_begin[u + 1];
    T largest = -std::numeric_limits<T>::infinity();
    for (GraphIndex p = first; p < last; ++p) {
      alpha[p] = leaky(raw_score(graph, u, p, scores, sent_scores)) * weight_of(graph, p, weights);
      largest = std::max(largest, alpha[p]);
    }
    T sum = 0;
    for (GraphIndex p = first; p < last; ++p) {
      alpha[p] = std::exp(alpha[p] - largest);
      sum += alpha[p];
    }
    for (GraphIndex p = first; p < last; ++p) alpha[p] /= sum + static_cast<T>(1e-16);
  }
};

}  // namespace weft
