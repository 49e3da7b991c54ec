// SPDX-License-Identifier: Apache-2.0
/// \file
/// `grouped_linear` on the CPU: a product for each group, the groups spread over the threads.
#pragma once

#include <algorithm>

#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/grouped_linear/grouped_linear_kernels.hpp"
#include "weft/ops/matmul/matmul_kernel.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct GroupedLinearKernels<Cpu> {
  using Transpose = kernels::Transpose;

  /// y_g = x_g W_gᵀ + c_g b_g, where `bias_weights` c, [rows, groups], are 1 when null.
  template <class T>
  static void forward(const GroupedLinearSize& size, const T* x, const GroupedLinearPart<T>* parts,
                      const T* bias_weights, T* y) {
    for_each_group(size, [&](Index g) {
      const T* bias = parts[g].bias.data;
      kernels::matmul(Transpose::no, Transpose::yes, size.rows, size.out_features, size.in_features,
                      x + g * size.in_features, size.input_width(), parts[g].weight.data, size.in_features,
                      y + g * size.out_features, size.output_width(),
                      kernels::MatmulEpilogue<T>{bias_weights == nullptr ? bias : nullptr, false, T{1}});
      if (bias == nullptr || bias_weights == nullptr) return;
      for (Index row = 0; row < size.rows; ++row) {
        add_scaled(size.out_features, bias_weights[row * size.groups + g], bias,
                   y + row * size.output_width() + g * size.out_features);
      }
    });
  }

  /// dx_g = dy_g W_g
  template <class T>
  static void backward_input(const GroupedLinearSize& size, const T* dy, const GroupedLinearPart<T>* parts,
                             GradientTarget<T> dx) {
    for_each_group(size, [&](Index g) {
      kernels::matmul(Transpose::no, Transpose::no, size.rows, size.in_features, size.out_features,
                      dy + g * size.out_features, size.output_width(), parts[g].weight.data, size.in_features,
                      dx.data + g * size.in_features, size.input_width(),
                      kernels::MatmulEpilogue<T>{nullptr, dx.accumulate, T{1}});
    });
  }

  /// dW_g = dy_gᵀ x_g, db_g = Σ over rows of c_g dy_g
  template <class T>
  static void backward_parameters(const GroupedLinearSize& size, const T* dy, const T* x, const T* bias_weights,
                                  const GroupedLinearTargets<T>* targets) {
    for_each_group(size, [&](Index g) {
      const T* own = dy + g * size.out_features;
      if (const auto& dw = targets[g].weight) {
        kernels::matmul(Transpose::yes, Transpose::no, size.out_features, size.in_features, size.rows, own,
                        size.output_width(), x + g * size.in_features, size.input_width(), dw.data, size.in_features,
                        kernels::MatmulEpilogue<T>{nullptr, dw.accumulate, T{1}});
      }
      if (const auto& db = targets[g].bias) {
        if (!db.accumulate) std::fill_n(db.data, size.out_features, T{0});
        for (Index row = 0; row < size.rows; ++row) {
          const T weight = bias_weights == nullptr ? T{1} : bias_weights[row * size.groups + g];
          add_scaled(size.out_features, weight, own + row * size.output_width(), db.data);
        }
      }
    });
  }

  /// dc[row, g] = dy_g · b_g
  template <class T>
  static void backward_bias_weights(const GroupedLinearSize& size, const T* dy, const GroupedLinearPart<T>* parts,
                                    GradientTarget<T> dc) {
    parallel_for(size.rows, kernels::rows_worth_a_thread(size.output_width()), [&](Index begin, Index end) {
      for (Index i = begin * size.groups; i < end * size.groups; ++i) {
        const T* bias = parts[i % size.groups].bias.data;
        const T* own = dy + i * size.out_features;
        T sum{0};
        if (bias != nullptr) {
          sum = kernels::row_sums<T, 1>(size.out_features, [&](Index c, auto access, auto& sums) {
            sums[0] = kernels::multiply_add(access.load(own + c), access.load(bias + c), sums[0]);
          })[0];
        }
        dc.data[i] = dc.accumulate ? dc.data[i] + sum : sum;
      }
    });
  }

 private:
  template <class T>
  static void add_scaled(Index count, T factor, const T* from, T* to) {
    kernels::for_each_vector<T>(count, [&](Index c, auto access) {
      access.store(to + c,
                   kernels::multiply_add(kernels::Vector<T>(factor), access.load(from + c), access.load(to + c)));
    });
  }

  /// Groups go to threads; where there are fewer groups than threads, each product is split instead.
  template <class Body>
  static void for_each_group(const GroupedLinearSize& size, Body&& body) {
    if (size.groups < thread_count()) {
      for (Index g = 0; g < size.groups; ++g) body(g);
      return;
    }
    parallel_for(size.groups, 1, [&](Index begin, Index end) {
      for (Index g = begin; g < end; ++g) body(g);
    });
  }
};

}  // namespace weft
