// SPDX-License-Identifier: Apache-2.0
/// \file
/// `head_features` on the CPU.
#pragma once

#include <array>

#include "weft/ops/elementwise/rows.hpp"
#include "weft/ops/head_features/head_features_kernels.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct HeadFeaturesKernels<Cpu> {
  template <class T>
  using Parts = std::array<const T*, 4>;

  /// y[row, head, p, :] = factor(p, head) parts[p][row, head, :] with factors 1 + ε, α, 1, 1.
  template <class T>
  static void forward(const HeadFeaturesSize& size, const Parts<T>& parts, const Operand<T>* epsilons,
                      const Operand<T>* alphas, T* y) {
    parallel_for(size.rows, kernels::rows_worth_a_thread(4 * size.width()), [&](Index begin, Index end) {
      for (Index at = begin * size.heads; at < end * size.heads; ++at) {
        const Index head = at % size.heads;
        const T factors[] = {T{1} + *epsilons[head].data, *alphas[head].data, T{1}, T{1}};
        for (std::size_t p = 0; p < 4; ++p) {
          const T* from = parts[p] + at * size.dim;
          T* to = y + (4 * at + static_cast<Index>(p)) * size.dim;
          kernels::for_each_vector<T>(size.dim, [&](Index c, auto access) {
            access.store(to + c, kernels::Vector<T>(kernels::Vector<T>(factors[p]) * access.load(from + c)));
          });
        }
      }
    });
  }

  /// Writes to the parts' targets in their order, of which two may be one tensor, and calls `finish(sums)` with dε and dα of
  /// all heads.
  template <class T, class Finish>
  static void backward(const HeadFeaturesSize& size, const Parts<T>& parts, const Operand<T>* epsilons,
                       const Operand<T>* alphas, const T* dy, const std::array<GradientTarget<T>, 4>& targets,
                       Finish&& finish) {
    struct Sums {};
    kernels::for_row_blocks<Sums, T>(
        size.rows, 2 * size.heads,
        [&](Index begin, Index end, T* sums) {
          for (Index at = begin * size.heads; at < end * size.heads; ++at) {
            const Index head = at % size.heads;
            const T factors[] = {T{1} + *epsilons[head].data, *alphas[head].data, T{1}, T{1}};
            const T* d = dy + 4 * at * size.dim;
            sums[head] += dot(size.dim, d, parts[0] + at * size.dim);
            sums[size.heads + head] += dot(size.dim, d + size.dim, parts[1] + at * size.dim);
            for (std::size_t p = 0; p < 4; ++p, d += size.dim) {
              if (!targets[p]) continue;
              kernels::for_each_vector<T>(size.dim, [&](Index c, auto access) {
                const kernels::Vector<T> value = kernels::Vector<T>(factors[p]) * access.load(d + c);
                kernels::store_gradient(targets[p], at * size.dim + c, value, access);
              });
            }
          }
        },
        finish);
  }

 private:
  template <class T>
  static T dot(Index count, const T* x, const T* y) {
    return kernels::row_sums<T, 1>(count, [&](Index c, auto access, auto& sums) {
      sums[0] = kernels::multiply_add(access.load(x + c), access.load(y + c), sums[0]);
    })[0];
  }
};

}  // namespace weft
