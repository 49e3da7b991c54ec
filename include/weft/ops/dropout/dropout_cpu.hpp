// SPDX-License-Identifier: Apache-2.0
/// \file
/// `dropout` on the CPU.
#pragma once

#include <algorithm>

#include "weft/ops/dropout/dropout_kernels.hpp"
#include "weft/ops/dropout/philox_vectors.hpp"
#include "weft/ops/elementwise/elementwise.hpp"
#include "weft/tensor/device.hpp"

namespace weft {

template <>
struct DropoutKernels<Cpu> {
  /// y = x scale where the mask keeps it, 0 elsewhere
  template <class T>
  static void forward(const DropoutMask& mask, Index count, const T* x, T* y) {
    backward(mask, count, x, GradientTarget<T>{y, false});
  }

  /// dx = dy scale where the mask keeps it, 0 elsewhere. The mask is drawn again: it depends on positions alone.
  template <class T>
  static void backward(const DropoutMask& mask, Index count, const T* dy, GradientTarget<T> dx) {
    constexpr Index block = kernels::kPhiloxWords;
    parallel_for((count + block - 1) / block, kElementsWorthAThread / block, [&](Index begin, Index end) {
      alignas(64) T factors[block];
      for (Index first = begin * block; first < std::min(end * block, count); first += block) {
        fill_factors(mask, first, factors);
        kernels::for_each_vector<T>(std::min(block, count - first), [&](Index i, auto access) {
          const auto values = access.load(dy + first + i) * kernels::Vector<T>::load_aligned(factors + i);
          kernels::store_gradient(dx, first + i, kernels::Vector<T>(values), access);
        });
      }
    });
  }

 private:
  static constexpr Index kElementsWorthAThread = 4096;  // a random word costs several elementwise operations

  template <class T>
  static void fill_factors(const DropoutMask& mask, Index first, T (&factors)[kernels::kPhiloxWords]) {
    std::uint32_t words[kernels::kPhiloxWords];
    kernels::philox_words(mask.rng, first, words);
    const T scale = static_cast<T>(mask.scale);
    for (Index i = 0; i < kernels::kPhiloxWords; ++i) factors[i] = (words[i] >> 8) >= mask.threshold ? scale : T{0};
  }
};

}  // namespace weft
