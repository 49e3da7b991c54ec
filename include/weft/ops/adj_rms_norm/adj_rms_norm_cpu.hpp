// SPDX-License-Identifier: Apache-2.0
/// \file
/// `adj_rms_norm` on the CPU; sums over a whole sample are taken in double, row by row of a fixed length.
#pragma once

#include <algorithm>
#include <cmath>

#include "weft/ops/adj_rms_norm/adj_rms_norm_kernels.hpp"
#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/ops/elementwise/rows.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

namespace kernels {

/// Σ a b
template <class T>
double long_dot(Index count, const T* a, const T* b) {
  constexpr Index piece = 1024;
  double sum = 0;
  for (Index begin = 0; begin < count; begin += piece) {
    const auto [part] = row_sums<T, 1>(std::min(piece, count - begin), [&](Index i, auto access, auto& sums) {
      sums[0] = multiply_add(access.load(a + begin + i), access.load(b + begin + i), sums[0]);
    });
    sum += static_cast<double>(part);
  }
  return sum;
}

}  // namespace kernels

template <>
struct AdjRMSNormKernels<Cpu> {
  /// y = weight x / sqrt(mean(x²) + eps), the mean over a whole sample.
  template <class T>
  static void forward(Index samples, Index count, double eps, T weight, const T* x, T* y) {
    parallel_for(samples, 1, [&](Index begin, Index end) {
      for (Index sample = begin; sample < end; ++sample) {
        const T* from = x + sample * count;
        const kernels::Vector<T> factor(weight * static_cast<T>(inverse_rms(count, eps, from)));
        kernels::for_each_vector<T>(count, [&](Index i, auto access) {
          access.store(y + sample * count + i, kernels::Vector<T>(factor * access.load(from + i)));
        });
      }
    });
  }

  /// With r = 1 / rms: dx = weight r (dy - x r² mean(dy x)); returns d weight = Σ dy x r.
  template <class T>
  static double backward(Index samples, Index count, double eps, T weight, const T* x, const T* dy,
                         GradientTarget<T> dx) {
    double d_weight = 0;
    for (Index sample = 0; sample < samples; ++sample) {
      const T* from = x + sample * count;
      const T* d = dy + sample * count;
      const double inverse = inverse_rms(count, eps, from);
      const double along = kernels::long_dot(count, d, from);
      d_weight += along * inverse;
      if (!dx) continue;
      const kernels::Vector<T> factor(weight * static_cast<T>(inverse));
      const kernels::Vector<T> slope(static_cast<T>(inverse * inverse * along / static_cast<double>(count)));
      kernels::parallel_for_each_vector<T>(count, [&](Index i, auto access) {
        const kernels::Vector<T> value = factor * (access.load(d + i) - slope * access.load(from + i));
        kernels::store_gradient(dx, sample * count + i, value, access);
      });
    }
    return d_weight;
  }

 private:
  template <class T>
  static double inverse_rms(Index count, double eps, const T* x) {
    return 1 / std::sqrt(kernels::long_dot(count, x, x) / static_cast<double>(count) + eps);
  }
};

}  // namespace weft
