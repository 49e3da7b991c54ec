// SPDX-License-Identifier: Apache-2.0
/// \file
/// Processed adjacencies on the CPU: what is done with their blocks of rows.
#pragma once

#include <algorithm>

#include "weft/ops/adjacency/adjacency_kernels.hpp"
#include "weft/ops/adjacency/differential_rows.hpp"
#include "weft/ops/adjacency/scoring_rows.hpp"
#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

namespace kernels::detail {

/// Gradients of out = P v, given d_out: dP = d_out vᵀ, dv += Pᵀ d_out.
template <class T>
struct AggregateUpstream {
  AttentionSize size;
  AttentionRows<const T> v;
  AttentionRows<const T> d_out;
  AttentionRows<T> dv;  ///< null: not wanted

  Index feature(const AdjacencyBlock& block) const { return block.head / size.group() * size.value_dim; }
  const T* d_rows(const AdjacencyBlock& block) const {
    return d_out.at(block.batch, block.first, block.head * size.value_dim);
  }
  void fill(const AdjacencyBlock& block, T* d) const {
    matmul(Transpose::no, Transpose::yes, block.count, block.width, size.value_dim, d_rows(block), d_out.row_stride,
           v.at(block.batch, 0, feature(block)), v.row_stride, d, block.width);
  }
  void use(const AdjacencyBlock& block, const T* p) const {
    if (dv.data == nullptr) return;
    matmul(Transpose::yes, Transpose::no, block.width, size.value_dim, block.count, p, block.width, d_rows(block),
           d_out.row_stride, dv.at(block.batch, 0, feature(block)), dv.row_stride,
           MatmulEpilogue<T>{nullptr, true, T{1}});
  }
};

/// Gradients of P itself, given dP [batch, heads, queries, keys].
template <class T>
struct DenseUpstream {
  AttentionSize size;
  const T* d_weights;

  void fill(const AdjacencyBlock& block, T* d) const {
    const T* from = d_weights + ((block.batch * size.heads + block.head) * size.queries + block.first) * size.keys;
    for (Index r = 0; r < block.count; ++r) std::copy_n(from + r * size.keys, block.width, d + r * block.width);
  }
  void use(const AdjacencyBlock& /*block*/, const T* /*p*/) const {}
};

}  // namespace kernels::detail

template <>
struct AdjacencyKernels<Cpu> {
  /// out[b, i, n, :] = Σⱼ P[b, n, i, j] v[b, j, n / group, :]
  template <class T, class Input>
  static void aggregate(const Input& in, Index value_dim, kernels::AttentionRows<const T> v,
                        kernels::AttentionRows<T> out) {
    const Index group = in.size().group();
    kernels::for_each_adjacency_block(in, [&](const auto& rows, const kernels::AdjacencyBlock& block) {
      kernels::matmul(kernels::Transpose::no, kernels::Transpose::no, block.count, value_dim, block.width, rows.p(),
                      block.width, v.at(block.batch, 0, block.head / group * value_dim), v.row_stride,
                      out.at(block.batch, block.first, block.head * value_dim), out.row_stride);
    });
  }

  /// All targets have to hold something already: contributions are added.
  template <class T, class Input, class Gradients>
  static kernels::AdjacencySums aggregate_backward(const Input& in, Index value_dim, kernels::AttentionRows<const T> v,
                                                   kernels::AttentionRows<const T> d_out, const Gradients& gradients,
                                                   kernels::AttentionRows<T> dv) {
    kernels::AttentionSize size = in.size();
    size.value_dim = value_dim;
    return kernels::adjacency_backward(in, gradients, kernels::detail::AggregateUpstream<T>{size, v, d_out, dv});
  }

  /// P, [batch, heads, queries, keys].
  template <class T, class Input>
  static void weights(const Input& in, T* weights) {
    const kernels::AttentionSize& size = in.size();
    kernels::for_each_adjacency_block(in, [&](const auto& rows, const kernels::AdjacencyBlock& block) {
      T* to = weights + ((block.batch * size.heads + block.head) * size.queries + block.first) * size.keys;
      for (Index r = 0; r < block.count; ++r, to += size.keys) {
        std::copy_n(rows.p() + r * block.width, block.width, to);
        std::fill(to + block.width, to + size.keys, T{0});
      }
    });
  }

  template <class T, class Input, class Gradients>
  static kernels::AdjacencySums weights_backward(const Input& in, const T* d_weights, const Gradients& gradients) {
    return kernels::adjacency_backward(in, gradients, kernels::detail::DenseUpstream<T>{in.size(), d_weights});
  }

  /// The threshold mode alone, on `matrices` of [rows, columns] that end at their last key.
  template <class T>
  static void process(const ThresholdOptions& options, T threshold, Index matrices, Index rows, Index columns,
                      const T* a, T* p) {
    parallel_for(matrices, kernels::rows_worth_a_thread(rows * columns), [&](Index begin, Index end) {
      for (Index m = begin * rows * columns; m < end * rows * columns; m += rows * columns) {
        kernels::threshold_rows(options, threshold, {rows, columns, columns - rows}, a + m, p + m);
      }
    });
  }

  /// Returns d threshold.
  template <class T>
  static double process_backward(const ThresholdOptions& options, T threshold, Index matrices, Index rows,
                                 Index columns, const T* a, const T* dp, GradientTarget<T> da) {
    struct Scratch {};
    const Index size = rows * columns;
    T* d = thread_scratch<Scratch, T>(size);
    double sum = 0;
    for (Index m = 0; m < matrices; ++m) {
      std::copy_n(dp + m * size, size, d);
      sum += kernels::threshold_rows_backward(options, threshold, {rows, columns, columns - rows}, a + m * size, d);
      if (!da) continue;
      kernels::add_to_gradient(size, static_cast<const T*>(d), GradientTarget<T>{da.data + m * size, da.accumulate});
    }
    return sum;
  }

  /// y = function(x), for a function of threshold_function.hpp.
  template <class T, class Function>
  static void step(const Function& function, Index count, const T* x, T* y) {
    kernels::parallel_for_each_vector<T>(
        count, [&](Index i, auto access) { access.store(y + i, function.value(access.load(x + i))); });
  }

  /// dx = dy function'(x)
  template <class T, class Function>
  static void step_backward(const Function& function, Index count, const T* x, const T* dy, GradientTarget<T> dx) {
    kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
      kernels::store_gradient(dx, i, kernels::Vector<T>(access.load(dy + i) * function.by_entry(access.load(x + i))),
                              access);
    });
  }

  /// d threshold = Σ dy ∂function(x) / ∂threshold
  template <class T, class Function>
  static double step_threshold(const Function& function, Index count, const T* x, const T* dy) {
    double sum = 0;
    constexpr Index piece = 1024;  // long sums are taken in double
    for (Index begin = 0; begin < count; begin += piece) {
      const auto [part] =
          kernels::row_sums<T, 1>(std::min(piece, count - begin), [&](Index i, auto access, auto& sums) {
            const auto slope = function.by_threshold(access.load(x + begin + i));
            sums[0] = kernels::multiply_add(access.load(dy + begin + i), kernels::Vector<T>(slope), sums[0]);
          });
      sum += static_cast<double>(part);
    }
    return sum;
  }
};

}  // namespace weft
