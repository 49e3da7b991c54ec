// SPDX-License-Identifier: Apache-2.0
/// \file
/// Attention on the CPU.
#pragma once

#include "weft/ops/attention/attention_backward.hpp"
#include "weft/ops/attention/attention_dense.hpp"
#include "weft/ops/attention/attention_forward.hpp"
#include "weft/ops/attention/attention_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct AttentionKernels<Cpu> {
  template <class T>
  static void forward(const kernels::AttentionInput<T>& in, kernels::AttentionRows<T> out,
                      kernels::AttentionStatistics<T> statistics) {
    kernels::attention_forward(in, out, statistics);
  }

  template <class T>
  static void backward(const kernels::AttentionInput<T>& in, kernels::AttentionRows<const T> out,
                       kernels::AttentionStatistics<T> statistics, kernels::AttentionRows<const T> d_out,
                       const kernels::AttentionGradients<T>& gradients) {
    kernels::attention_backward(in, out, statistics, d_out, gradients);
  }

  /// The dense weights [batch, heads, queries, keys].
  template <class T>
  static void weights(const kernels::AttentionInput<T>& in, T* weights,
                      kernels::AttentionStatistics<T> statistics = {}) {
    kernels::attention_weights(in, weights, statistics);
  }

  template <class T>
  static void weights_backward(const kernels::AttentionInput<T>& in, const T* weights,
                               kernels::AttentionStatistics<T> statistics, const T* d_weights,
                               const kernels::AttentionGradients<T>& gradients) {
    kernels::attention_weights_backward(in, weights, statistics, d_weights, gradients);
  }

  /// Their diagonal [batch, heads, queries].
  template <class T>
  static void diagonal(const kernels::AttentionInput<T>& in, T* diagonal,
                       kernels::AttentionStatistics<T> statistics = {}) {
    kernels::attention_diagonal(in, diagonal, statistics);
  }

  template <class T>
  static void diagonal_backward(const kernels::AttentionInput<T>& in, const T* diagonal,
                                kernels::AttentionStatistics<T> statistics, const T* d_diagonal,
                                const kernels::AttentionGradients<T>& gradients) {
    kernels::attention_diagonal_backward(in, diagonal, statistics, d_diagonal, gradients);
  }
};

}  // namespace weft
