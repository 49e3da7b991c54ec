// SPDX-License-Identifier: Apache-2.0
/// \file
/// `pna_aggregate` on the CPU: parallel over targets, whose messages stand together.
#pragma once

#include <algorithm>
#include <cmath>

#include "weft/ops/message_passing/weighted_rows.hpp"
#include "weft/ops/pna_aggregate/pna_aggregate_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct PNAAggregateKernels<Cpu> {
  template <class T>
  static void forward(const Graph& graph, Index features, const PNARules& rules, const T* messages, T* y) {
    struct Statistic;
    kernels::for_each_node(graph, features * rules.blocks(), [&](Index u) {
      const Messages<T> into(graph, u, features, messages);
      T* value = thread_scratch<Statistic, T>(features);
      T* to = y + u * rules.blocks() * features;
      for (Index a = 0; a < rules.aggregators.count; ++a) {
        for (Index f = 0; f < features; ++f) value[f] = into.statistic(rules.aggregators[a], f);
        for (Index s = 0; s < rules.scalers.count; ++s, to += features) {
          const T factor = into.factor(rules.scalers[s]);
          for (Index f = 0; f < features; ++f) to[f] = factor * value[f];
        }
      }
    });
  }

  template <class T>
  static void backward(const Graph& graph, Index features, const PNARules& rules, const T* messages, const T* dy,
                       GradientTarget<T> dmessages) {
    kernels::prepare_to_add(graph.edges * features, dmessages);
    kernels::for_each_node(graph, features * rules.blocks(), [&](Index u) {
      const Messages<T> into(graph, u, features, messages);
      const T* from = dy + u * rules.blocks() * features;
      for (Index a = 0; a < rules.aggregators.count; ++a) {
        for (Index f = 0; f < features; ++f) {
          T upstream = 0;
          for (Index s = 0; s < rules.scalers.count; ++s) {
            upstream += into.factor(rules.scalers[s]) * from[(a * rules.scalers.count + s) * features + f];
          }
          into.add_slopes(rules.aggregators[a], f, upstream, dmessages.data);
        }
      }
    });
  }

 private:
  /// The messages into one node.
  template <class T>
  struct Messages {
    GraphIndex first;
    GraphIndex last;
    Index features;
    const T* values;

    Messages(const Graph& graph, Index u, Index width, const T* messages)
        : first(graph.target_begin[u]), last(graph.target_begin[u + 1]), features(width), values(messages) {}

    T degree() const { return static_cast<T>(last - first); }
    T at(GraphIndex p, Index f) const { return values[p * features + f]; }

    T factor(PNAScaler scaler) const {
      if (scaler == PNAScaler::identity) return 1;
      const T log_degree = std::log(std::max(degree(), T{1}) + 1);
      return scaler == PNAScaler::amplification ? log_degree : 1 / log_degree;
    }

    T sum(Index f) const {
      T total = 0;
      for (GraphIndex p = first; p < last; ++p) total += at(p, f);
      return total;
    }

    /// The first of the smallest or largest.
    GraphIndex extreme(Index f, bool largest) const {
      GraphIndex best = first;
      for (GraphIndex p = first + 1; p < last; ++p) {
        if (largest ? at(p, f) > at(best, f) : at(p, f) < at(best, f)) best = p;
      }
      return best;
    }

    T variance(Index f, T mean) const {
      T squares = 0;
      for (GraphIndex p = first; p < last; ++p) squares += (at(p, f) - mean) * (at(p, f) - mean);
      return squares / degree();
    }

    T statistic(PNAAggregator aggregator, Index f) const {
      if (first == last) return 0;
      switch (aggregator) {
        case PNAAggregator::sum:
          return sum(f);
        case PNAAggregator::mean:
          return sum(f) / degree();
        case PNAAggregator::min:
          return at(extreme(f, false), f);
        case PNAAggregator::max:
          return at(extreme(f, true), f);
        case PNAAggregator::std: {
          const T spread = variance(f, sum(f) / degree());
          return spread > smallest_variance() ? std::sqrt(spread) : T{0};
        }
      }
      return 0;
    }

    void add_slopes(PNAAggregator aggregator, Index f, T upstream, T* to) const {
      if (first == last) return;
      if (aggregator == PNAAggregator::min || aggregator == PNAAggregator::max) {
        to[extreme(f, aggregator == PNAAggregator::max) * features + f] += upstream;
        return;
      }
      if (aggregator != PNAAggregator::std) {
        const T slope = aggregator == PNAAggregator::mean ? upstream / degree() : upstream;
        for (GraphIndex p = first; p < last; ++p) to[p * features + f] += slope;
        return;
      }
      const T mean = sum(f) / degree();
      const T spread = variance(f, mean);
      if (!(spread > smallest_variance())) return;
      const T slope = upstream / (std::sqrt(spread) * degree());
      for (GraphIndex p = first; p < last; ++p) to[p * features + f] += slope * (at(p, f) - mean);
    }

    static constexpr T smallest_variance() { return static_cast<T>(1e-5); }
  };
};

}  // namespace weft
