// SPDX-License-Identifier: Apache-2.0
/// \file
/// `rms_norm` on the CPU: two passes over a row, which stays in the first-level cache.
#pragma once

#include <cmath>

#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/rms_norm/rms_norm_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct RMSNormKernels<Cpu> {
  /// y = weight x r with r = 1 / sqrt(mean(x²) + eps)
  template <class T>
  static void forward(const RMSNormSize<T>& size, const T* x, const T* weight, T* y) {
    parallel_for(size.rows, kernels::rows_worth_a_thread(size.features), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        forward_row(size, x + row * size.features, weight, y + row * size.features);
      }
    });
  }

  /// dx = r (weight dy - x r² mean(weight dy x)),  dweight = Σ over rows of dy x r; either may be unwanted. r is
  /// computed again in the pass that sums weight dy x.
  template <class T>
  static void backward(const RMSNormSize<T>& size, const T* x, const T* weight, const T* dy, GradientTarget<T> dx,
                       GradientTarget<T> dweight) {
    struct WeightSums;
    const Index features = size.features;
    const auto rows = [&](Index begin, Index end, T* sums) {
      for (Index row = begin; row < end; ++row) {
        const GradientTarget<T> dx_row{dx ? dx.data + row * features : nullptr, dx.accumulate};
        backward_row(size, x + row * features, weight, dy + row * features, dx_row, dweight ? sums : nullptr);
      }
    };
    kernels::for_row_blocks<WeightSums, T>(size.rows, dweight ? features : 0, rows, [&](const T* sums) {
      if (dweight) kernels::add_to_gradient(features, sums, dweight);
    });
  }

 private:
  template <class T>
  static T inverse_rms(const RMSNormSize<T>& size, T squares) {
    return 1 / std::sqrt(squares / static_cast<T>(size.features) + size.eps);
  }

  template <class T>
  static void forward_row(const RMSNormSize<T>& size, const T* x, const T* weight, T* y) {
    const auto [squares] = kernels::row_sums<T, 1>(size.features, [&](Index i, auto access, auto& sums) {
      const auto xs = access.load(x + i);
      sums[0] = kernels::multiply_add(xs, xs, sums[0]);
    });
    const kernels::Vector<T> r(inverse_rms(size, squares));
    kernels::for_each_vector<T>(size.features, [&](Index i, auto access) {
      access.store(y + i, access.load(weight + i) * (access.load(x + i) * r));
    });
  }

  /// Adds to `dweight`, overwrites or adds to `dx`; either may be null.
  template <class T>
  static void backward_row(const RMSNormSize<T>& size, const T* x, const T* weight, const T* dy, GradientTarget<T> dx,
                           T* dweight) {
    const auto [squares, product] = kernels::row_sums<T, 2>(size.features, [&](Index i, auto access, auto& sums) {
      const auto xs = access.load(x + i);
      sums[0] = kernels::multiply_add(xs, xs, sums[0]);
      sums[1] = kernels::multiply_add(access.load(weight + i) * access.load(dy + i), xs, sums[1]);
    });
    const T inverse = inverse_rms(size, squares);
    const kernels::Vector<T> r(inverse);
    const kernels::Vector<T> pull(-inverse * inverse * product / static_cast<T>(size.features));
    kernels::for_each_vector<T>(size.features, [&](Index i, auto access) {
      const auto xs = access.load(x + i);
      const auto dys = access.load(dy + i);
      if (dx) {
        const auto direct = access.load(weight + i) * dys;
        kernels::store_gradient(dx, i, r * kernels::multiply_add(xs, pull, direct), access);
      }
      if (dweight != nullptr) {
        access.store(dweight + i, kernels::multiply_add(dys, xs * r, access.load(dweight + i)));
      }
    });
  }
};

}  // namespace weft
