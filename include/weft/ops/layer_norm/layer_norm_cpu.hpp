// SPDX-License-Identifier: Apache-2.0
/// \file
/// `layer_norm` on the CPU: three passes over a row, which stays in the first-level cache.
#pragma once

#include <cmath>

#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/layer_norm/layer_norm_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct LayerNormKernels<Cpu> {
  /// y = weight h + bias with h = (x - mean) s, s = 1 / sqrt(variance + eps)
  template <class T>
  static void forward(const LayerNormSize<T>& size, const T* x, const T* weight, const T* bias, T* y) {
    parallel_for(size.rows, kernels::rows_worth_a_thread(size.features), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        forward_row(size, x + row * size.features, weight, bias, y + row * size.features);
      }
    });
  }

  /// With g = weight dy: dx = s (g - mean(g) - h mean(g h)),  dweight = Σ dy h,  dbias = Σ dy over rows. Each may be
  /// unwanted. Mean and deviation are computed again.
  template <class T>
  static void backward(const LayerNormSize<T>& size, const T* x, const T* weight, const T* dy, GradientTarget<T> dx,
                       GradientTarget<T> dweight, GradientTarget<T> dbias) {
    struct ParameterSums;
    const Index features = size.features;
    const bool sums_wanted = dweight || dbias;
    const auto rows = [&](Index begin, Index end, T* sums) {
      for (Index row = begin; row < end; ++row) {
        const GradientTarget<T> dx_row{dx ? dx.data + row * features : nullptr, dx.accumulate};
        backward_row(size, x + row * features, weight, dy + row * features, dx_row, sums_wanted ? sums : nullptr);
      }
    };
    kernels::for_row_blocks<ParameterSums, T>(size.rows, sums_wanted ? 2 * features : 0, rows, [&](const T* sums) {
      if (dweight) kernels::add_to_gradient(features, sums, dweight);
      if (dbias) kernels::add_to_gradient(features, sums + features, dbias);
    });
  }

 private:
  template <class T>
  static T row_mean(Index features, const T* x) {
    return kernels::row_sums<T, 1>(features,
                                   [&](Index i, auto access, auto& sums) { sums[0] += access.load(x + i); })[0] /
           static_cast<T>(features);
  }

  template <class T>
  static T inverse_deviation(const LayerNormSize<T>& size, T squares) {
    return 1 / std::sqrt(squares / static_cast<T>(size.features) + size.eps);
  }

  template <class T>
  static void forward_row(const LayerNormSize<T>& size, const T* x, const T* weight, const T* bias, T* y) {
    const T mean = row_mean(size.features, x);
    const kernels::Vector<T> means(mean);
    const auto [squares] = kernels::row_sums<T, 1>(size.features, [&](Index i, auto access, auto& sums) {
      const auto centred = access.load_or(x + i, mean) - means;
      sums[0] = kernels::multiply_add(centred, centred, sums[0]);
    });
    const kernels::Vector<T> s(inverse_deviation(size, squares));
    kernels::for_each_vector<T>(size.features, [&](Index i, auto access) {
      const auto h = (access.load(x + i) - means) * s;
      access.store(y + i, kernels::multiply_add(access.load(weight + i), h, access.load(bias + i)));
    });
  }

  /// Adds dy h and dy to the two rows of `parameter_sums`, overwrites or adds to `dx`; either may be null.
  template <class T>
  static void backward_row(const LayerNormSize<T>& size, const T* x, const T* weight, const T* dy, GradientTarget<T> dx,
                           T* parameter_sums) {
    using V = kernels::Vector<T>;
    const T mean = row_mean(size.features, x);
    const V means(mean);
    // Σ (x - mean)²,  Σ g,  Σ g (x - mean)
    const auto [squares, direct, product] =
        kernels::row_sums<T, 3>(size.features, [&](Index i, auto access, auto& sums) {
          const auto centred = access.load_or(x + i, mean) - means;
          const auto g = access.load(weight + i) * access.load(dy + i);
          sums[0] = kernels::multiply_add(centred, centred, sums[0]);
          sums[1] += g;
          sums[2] = kernels::multiply_add(g, centred, sums[2]);
        });
    const T inverse = inverse_deviation(size, squares);
    const T count = static_cast<T>(size.features);
    const V s(inverse);
    const V mean_direct(direct / count);
    const V pull(-inverse * inverse * product / count);
    kernels::for_each_vector<T>(size.features, [&](Index i, auto access) {
      const V centred = access.load(x + i) - means;
      const V dys = access.load(dy + i);
      if (dx) {
        const V direct_part = access.load(weight + i) * dys - mean_direct;
        kernels::store_gradient(dx, i, s * kernels::multiply_add(centred, pull, direct_part), access);
      }
      if (parameter_sums != nullptr) {
        T* weight_sums = parameter_sums + i;
        T* bias_sums = weight_sums + size.features;
        access.store(weight_sums, kernels::multiply_add(dys, V(centred * s), access.load(weight_sums)));
        access.store(bias_sums, access.load(bias_sums) + dys);
      }
    });
  }
};

}  // namespace weft
