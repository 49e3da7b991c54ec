// SPDX-License-Identifier: Apache-2.0
/// \file
/// `graph_norm` on the CPU: parallel over blocks of features, whose sums over the nodes each thread makes alone.
#pragma once

#include <algorithm>
#include <cmath>

#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/graph_norm/graph_norm_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct GraphNormKernels<Cpu> {
  /// y = weight c r + bias with c = x - scale mean, r = 1 / sqrt(mean(c^2) + eps) over the nodes of each graph
  template <class T>
  static void forward(const GraphNormSize<T>& size, const T* x, const T* weight, const T* bias, const T* mean_scale,
                      T* y) {
    for_each_block(size, [&](Index g, Index first, Index width) {
      Statistics<T> of(size, g, first, width, x, mean_scale);
      of.for_each_value(width, [&](Index f, Index at, T centred) {
        y[at] = weight[first + f] * centred * of.inverse[f] + bias[first + f];
      });
    });
  }

  /// With g = weight dy: dc = r g - r^3 c mean(g c),  dx = dc - scale mean(dc),  dscale = -mean(x) sum(dc),
  /// dweight = sum of dy c r,  dbias = sum of dy.
  template <class T>
  static void backward(const GraphNormSize<T>& size, const T* x, const T* weight, const T* mean_scale, const T* dy,
                       GradientTarget<T> dx, GradientTarget<T> dweight, GradientTarget<T> dbias,
                       GradientTarget<T> dmean_scale) {
    parallel_for(blocks_of(size), kernels::rows_worth_a_thread(nodes_of(size) * kBlock), [&](Index begin, Index end) {
      for (Index block = begin; block < end; ++block) {
        const Index first = block * kBlock;
        const Index width = std::min(kBlock, size.features - first);
        T weight_sums[kBlock] = {};
        T bias_sums[kBlock] = {};
        T scale_sums[kBlock] = {};
        for (Index g = 0; g < size.graphs; ++g) {
          backward_block(size, g, first, width, x, weight, mean_scale, dy, dx, weight_sums, bias_sums, scale_sums);
        }
        store(dweight, first, width, weight_sums);
        store(dbias, first, width, bias_sums);
        store(dmean_scale, first, width, scale_sums);
      }
    });
  }

 private:
  static constexpr Index kBlock = 32;

  template <class T>
  static Index blocks_of(const GraphNormSize<T>& size) {
    return (size.features + kBlock - 1) / kBlock;
  }

  template <class T>
  static Index nodes_of(const GraphNormSize<T>& size) {
    return size.begin[size.graphs];
  }

  template <class T, class Body>
  static void for_each_block(const GraphNormSize<T>& size, Body&& body) {
    const Index blocks = blocks_of(size);
    parallel_for(blocks * size.graphs,
                 kernels::rows_worth_a_thread(nodes_of(size) / std::max<Index>(1, size.graphs) * kBlock),
                 [&](Index begin, Index end) {
                   for (Index item = begin; item < end; ++item) {
                     const Index first = item % blocks * kBlock;
                     body(item / blocks, first, std::min(kBlock, size.features - first));
                   }
                 });
  }

  /// Of one graph and one block of features.
  template <class T>
  struct Statistics {
    Index begin;
    Index end;
    Index features;
    Index first;
    const T* x;
    T mean[kBlock] = {};
    T shift[kBlock] = {};
    T inverse[kBlock] = {};

    Statistics(const GraphNormSize<T>& size, Index g, Index first_feature, Index width, const T* values,
               const T* mean_scale)
        : begin(size.begin[g]), end(size.begin[g + 1]), features(size.features), first(first_feature), x(values) {
      const T count = static_cast<T>(std::max<Index>(1, end - begin));
      for_each_value(width, [&](Index f, Index at, T) { mean[f] += x[at]; });
      for (Index f = 0; f < width; ++f) {
        mean[f] /= count;
        shift[f] = mean[f] * mean_scale[first + f];
      }
      for_each_value(width, [&](Index f, Index, T centred) { inverse[f] += centred * centred; });
      for (Index f = 0; f < width; ++f) inverse[f] = 1 / std::sqrt(inverse[f] / count + size.eps);
    }

    /// visit(feature of the block, position, x - shift)
    template <class Visit>
    void for_each_value(Index width, Visit&& visit) {
      for (Index node = begin; node < end; ++node) {
        const Index row = node * features + first;
        for (Index f = 0; f < width; ++f) visit(f, row + f, x[row + f] - shift[f]);
      }
    }
  };

  template <class T>
  static void backward_block(const GraphNormSize<T>& size, Index g, Index first, Index width, const T* x,
                             const T* weight, const T* mean_scale, const T* dy, const GradientTarget<T>& dx,
                             T* weight_sums, T* bias_sums, T* scale_sums) {
    Statistics<T> of(size, g, first, width, x, mean_scale);
    const T count = static_cast<T>(std::max<Index>(1, of.end - of.begin));
    T direct[kBlock] = {};
    T product[kBlock] = {};
    T centred_sum[kBlock] = {};
    of.for_each_value(width, [&](Index f, Index at, T centred) {
      direct[f] += dy[at];
      product[f] += dy[at] * centred;
      centred_sum[f] += centred;
    });
    T pull[kBlock];
    T mean_slope[kBlock];
    for (Index f = 0; f < width; ++f) {
      const T r = of.inverse[f];
      pull[f] = weight[first + f] * r * r * r * product[f] / count;
      const T slope_sum = weight[first + f] * r * direct[f] - pull[f] * centred_sum[f];
      mean_slope[f] = mean_scale[first + f] * slope_sum / count;
      weight_sums[f] += product[f] * r;
      bias_sums[f] += direct[f];
      scale_sums[f] -= of.mean[f] * slope_sum;
    }
    if (!dx) return;
    of.for_each_value(width, [&](Index f, Index at, T centred) {
      const T value = weight[first + f] * of.inverse[f] * dy[at] - pull[f] * centred - mean_slope[f];
      dx.data[at] = dx.accumulate ? dx.data[at] + value : value;
    });
  }

  template <class T>
  static void store(const GradientTarget<T>& target, Index first, Index width, const T* sums) {
    if (!target) return;
    for (Index f = 0; f < width; ++f) {
      target.data[first + f] = target.accumulate ? target.data[first + f] + sums[f] : sums[f];
    }
  }
};

}  // namespace weft
