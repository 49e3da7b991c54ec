// SPDX-License-Identifier: Apache-2.0
/// \file
/// `head_aggregate` on the CPU: a product for each head of each text, spread over the threads. Heads are addressed by
/// strides and stay where the projections left them.
#pragma once

#include <algorithm>

#include "weft/autograd/gradient.hpp"
#include "weft/ops/head_aggregate/head_aggregate_kernels.hpp"
#include "weft/ops/head_aggregate/head_product.hpp"
#include "weft/tensor/device.hpp"
#include "weft/tensor/parallel.hpp"

namespace weft {

template <>
struct HeadAggregateKernels<Cpu> {
  /// y_h = A_h u_h. Texts of u lie `batch_stride` elements apart, so that u may be a cache.
  template <class T>
  static void forward(const HeadAggregateSize& size, const T* a, const T* u, Index batch_stride, T* y) {
    for_each_head(size, [&](Index b, Index head) {
      kernels::head_product(size.queries, size.keys, size.dim, a + (b * size.heads + head) * size.queries * size.keys,
                            u + b * batch_stride + head * size.dim, size.width(),
                            y + b * size.queries * size.width() + head * size.dim, size.width());
    });
  }

  /// dA_h = dy_h u_hᵀ
  template <class T>
  static void backward_weights(const HeadAggregateSize& size, const T* dy, const T* u, GradientTarget<T> da) {
    for_each_head(size, [&](Index b, Index head) {
      kernels::matmul(kernels::Transpose::no, kernels::Transpose::yes, size.queries, size.keys, size.dim,
                      dy + b * size.queries * size.width() + head * size.dim, size.width(),
                      u + b * size.keys * size.width() + head * size.dim, size.width(),
                      da.data + (b * size.heads + head) * size.queries * size.keys, size.keys,
                      kernels::MatmulEpilogue<T>{nullptr, da.accumulate, T{1}});
    });
  }

  /// du_h = A_hᵀ dy_h
  template <class T>
  static void backward_values(const HeadAggregateSize& size, const T* dy, const T* a, GradientTarget<T> du) {
    for_each_head(size, [&](Index b, Index head) {
      T* to = du.data + b * size.keys * size.width() + head * size.dim;
      if (!du.accumulate) {
        for (Index key = 0; key < size.keys; ++key) std::fill_n(to + key * size.width(), size.dim, T{0});
      }
      kernels::head_product_backward(
          size.queries, size.keys, size.dim, a + (b * size.heads + head) * size.queries * size.keys,
          dy + b * size.queries * size.width() + head * size.dim, size.width(), to, size.width());
    });
  }

 private:
  template <class Body>
  static void for_each_head(const HeadAggregateSize& size, Body&& body) {
    parallel_for(size.batch * size.heads, 1, [&](Index begin, Index end) {
      for (Index at = begin; at < end; ++at) body(at / size.heads, at % size.heads);
    });
  }
};

}  // namespace weft
